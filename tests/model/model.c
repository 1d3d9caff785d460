// SPDX-License-Identifier: MIT
/*
 * The interpreter of model operations and its reference. The reference knows the slots as a list
 * and the types by the policy table and tests/slow_mtrr.h; it shares nothing with ept/. After
 * each operation no access of any CPU may use a host address, a permission or a memory type that
 * is not right at that moment.
 */
#include "tests/model/inside.h"

#include <errno.h>

#include "tests/slow_mtrr.h"

#define HOST_WIDTH  46
#define GUEST_WIDTH 40

/* What can be plugged in: neighbours, overlaps, every alignment, both ends of the space. */
const struct ept_slot candidates[CANDIDATES] = {
	{.gpa = 0, .size = 0xa0000, .hpa = GiB, .kind = EPT_SLOT_RAM},
	{.gpa = 0xc0000, .size = 0x40000, .hpa = GiB + 0xc0000, .kind = EPT_SLOT_ROM},
	{.gpa = MiB, .size = 7 * MiB, .hpa = GiB + MiB, .kind = EPT_SLOT_RAM},
	{.gpa = 8 * MiB, .size = 8 * MiB, .hpa = 2 * GiB + 0x1000, .kind = EPT_SLOT_RAM},
	{.gpa = 0, .size = 16 * MiB, .hpa = 3 * GiB, .kind = EPT_SLOT_RAM},
	{.gpa = 16 * MiB, .size = 0x1000, .hpa = 0xfe000000, .kind = EPT_SLOT_HOST_MMIO},
	{.gpa = 16 * MiB + 0x1000, .size = 4 * MiB - 0x1000, .hpa = 4 * GiB + 0x1000, .kind = EPT_SLOT_RAM},
	{.gpa = 20 * MiB, .size = 4 * MiB, .hpa = 0xf0000000, .kind = EPT_SLOT_HOST_MMIO},
	{.gpa = GiB, .size = GiB, .hpa = 8 * GiB, .kind = EPT_SLOT_RAM},
	{.gpa = 2 * GiB, .size = 2 * GiB, .hpa = 16 * GiB + 2 * MiB, .kind = EPT_SLOT_RAM},
	{.gpa = GiB + 512 * MiB, .size = 16 * MiB, .hpa = 10 * GiB, .kind = EPT_SLOT_RAM},
	{.gpa = 511 * GiB, .size = 2 * GiB, .hpa = 32 * GiB, .kind = EPT_SLOT_RAM},
	{.gpa = (1ULL << 48) - 2 * MiB, .size = 2 * MiB, .hpa = 40 * GiB, .kind = EPT_SLOT_RAM},
	{.gpa = 4 * GiB, .size = 0x1000, .hpa = 41 * GiB, .kind = EPT_SLOT_RAM},
};

/* Pages of a slot worth touching, from its start; negative from its end. */
static const int64_t pages[] = {0, 1, 2, 3, 511, 512, 513, 1024, 131072, -1, -2, -512, -513, 160};

static const unsigned valid_types[] = {0, 1, 4, 5, 6};

static void blame(struct model *m, const char *rule)
{
	if (!m->result->broken) m->result->broken = rule;
}

void require(struct model *m, bool holds, const char *rule)
{
	if (!holds) blame(m, rule);
}

static uint64_t page_of(const struct model_op *op)
{
	const struct ept_slot *slot = &candidates[op->where % CANDIDATES];
	int64_t page = pages[op->where / CANDIDATES % ARRAY_SIZE(pages)];
	int64_t total = (int64_t)(slot->size / PAGE_SIZE);

	return slot->gpa + (uint64_t)(((page % total) + total) % total) * PAGE_SIZE;
}

const struct ept_slot *reference_slot(const struct model *m, uint64_t gpa)
{
	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (m->present[i] && gpa - candidates[i].gpa < candidates[i].size) return &candidates[i];
	}
	return NULL;
}

/* The policy table again, for one CPU, as type and ignore-PAT bits. */
static uint64_t reference_type(const struct model *m, const struct model_cpu *cpu, const struct ept_slot *slot,
			       uint64_t gpa)
{
	if (slot->kind == EPT_SLOT_HOST_MMIO) return 0;
	if (m->config->policy == MEMTYPE_KVM_6_16) return 0x30;
	if (m->noncoherent == 0) return 0x70;
	if (m->config->policy == MEMTYPE_KVM_6_11) return 0x30;
	if (cpu->cd) return 0x40;
	return (uint64_t)slow_mtrr_type(&cpu->mtrr, gpa) << 3;
}

/* Some CPU's type: the one that faulted decides, and each zaps when its own type changes. */
static bool type_allowed(const struct model *m, const struct ept_slot *slot, uint64_t gpa, uint64_t entry)
{
	for (unsigned i = 0; i < m->config->cpus; i++) {
		if ((entry & 0x78) == reference_type(m, &m->cpu[i], slot, gpa)) return true;
	}
	return false;
}

/* All that must be right of an entry by which a CPU reaches the page at gpa. */
void check_use(struct model *m, uint64_t gpa, uint64_t entry, unsigned level)
{
	const struct ept_slot *slot = reference_slot(m, gpa);
	uint64_t in_leaf = gpa & ((1ULL << (12 + 9 * (level - 1))) - 1);
	bool rom = slot && slot->kind == EPT_SLOT_ROM;

	if (!slot) {
		blame(m, "a CPU reaches memory that no slot has");
		return;
	}
	require(m,
		(entry & EPT_ADDRESS) + in_leaf ==
			slot->hpa + (gpa - slot->gpa) + (is_twice(m, slot) && !is_write_back(entry) ? TWICE : 0),
		"a CPU reaches the wrong host address");
	require(m, (entry & EPT_RWX) == (rom ? EPT_READ | EPT_EXECUTE : EPT_RWX), "wrong permissions");
	if (type_allowed(m, slot, gpa, entry)) return;
	m->result->stale++;
	require(m, m->config->policy == MEMTYPE_KVM_6_6,
		"a CPU uses a memory type that the policy forbids at this moment");
}

static void flush_all(void *arg)
{
	struct model *m = arg;

	for (unsigned i = 0; i < m->config->cpus; i++) {
		/* Until its own INVEPT a CPU goes on walking: no table may be gone yet. */
		for (unsigned c = 0; c < MODEL_TABLES; c++) {
			struct model_cached *cached = &m->cpu[i].table[c];
			unsigned level;

			if (cached->level) translate(m, &m->cpu[i], cached->gpa, false, &level);
		}
		write_through_stale(m, &m->cpu[i]);
		model_invept(&m->cpu[i]);
	}
}

struct ept_cpu as_ept_cpu(const struct model_cpu *cpu) { return (struct ept_cpu){.mtrr = &cpu->mtrr, .cd = cpu->cd}; }

int expected_error(const struct model *m, uint64_t gpa, bool write)
{
	const struct ept_slot *slot = reference_slot(m, gpa);

	if (!slot) return -ENOENT;
	return write && slot->kind == EPT_SLOT_ROM ? -EPERM : 0;
}

/* With fill=table one fault maps all of its 4K table that the slot covers, where types are alike.
 */
static void check_filled(struct model *m, uint64_t gpa)
{
	const struct ept_slot *slot = reference_slot(m, gpa);
	uint64_t start = MAX(slot->gpa, ALIGN_DOWN(gpa, 2 * MiB));
	uint64_t end = MIN(slot->gpa + slot->size, ALIGN_DOWN(gpa, 2 * MiB) + 2 * MiB);
	unsigned level;

	ept_walk(&m->ept, gpa, &level);
	if (m->config->fill != EPT_FILL_TABLE || level != 1 || m->noncoherent) return;
	ept_walk(&m->ept, start, &level);
	require(m, level, "fill=table has left out the first page");
	ept_walk(&m->ept, end - PAGE_SIZE, &level);
	require(m, level, "fill=table has left out the last page");
}

static void access_page(struct model *m, struct model_cpu *cpu, uint64_t gpa, bool write)
{
	struct ept_cpu ept_cpu = as_ept_cpu(cpu);
	unsigned level;
	uint64_t entry = translate(m, cpu, gpa, write, &level);
	int error;

	if (!entry || (write && !(entry & EPT_WRITE))) {
		model_violation(cpu, gpa);
		error = serve_fault(&m->ept, &ept_cpu, gpa, write);
		note_leaves(m);
		if (error == -ENOMEM) return;
		require(m, error == expected_error(m, gpa, write), "ept_fault() returns wrongly");
		if (error) return;
		check_filled(m, gpa);
		entry = translate(m, cpu, gpa, write, &level);
		require(m, entry, "a fault was served and the page is still not there");
	}
	if (!entry) return;
	check_use(m, gpa, entry, level);
	use_page(m, gpa, entry, write);
}

static void speculate(struct model *m, struct model_cpu *cpu, uint64_t gpa)
{
	unsigned level;
	uint64_t entry = translate(m, cpu, gpa, false, &level);

	if (entry) check_use(m, gpa, entry, level);
}

static void install(struct model *m, struct model_cpu *cpu)
{
	int error;

	if (!cpu->filling) return;
	cpu->filling = false;
	error = ept_fault_install(&m->ept, &cpu->fill);
	require(m, error == 0 || error == -EAGAIN || error == -ENOMEM, "ept_fault_install() returns wrongly");
	note_leaves(m);
	m->result->installs += error == 0;
	m->result->retries += error == -EAGAIN;
}

/*
 * A transition that retypes leaves what was mapped mapped, with the type that a fault of this CPU
 * would give, accessed and dirty if it was; where a table was missing to split a leaf, that leaf
 * may be gone.
 */
static void check_retyped(struct model *m, const struct model_cpu *cpu, const uint64_t *was, uint64_t cleared)
{
	for (unsigned i = 0; i < CANDIDATES * ARRAY_SIZE(pages); i++) {
		uint64_t gpa = page_of(&(struct model_op){.where = (uint16_t)i});
		unsigned level;
		uint64_t leaf = ept_walk(&m->ept, gpa, &level);

		require(m, level || !was[i] || cleared, "a retype has lost a leaf");
		require(m,
			m->config->twice || !m->config->accessed_dirty || !level ||
				!(was[i] & ~leaf & (EPT_ACCESSED | EPT_DIRTY)),
			"a retype has lost that a leaf was accessed or dirty");
		if (level)
			require(m, (leaf & 0x78) == reference_type(m, cpu, reference_slot(m, gpa), gpa),
				"a retyped leaf has another type than a fault would give");
	}
}

/* Where it copies, a retype is done in parts. */
static void retype_parts(struct model *m, const struct ept_cpu *cpu)
{
	if (m->config->transition != EPT_TRANSITION_RETYPE || !memtype_zaps_transitions(m->config->policy)) return;
	for (uint64_t at = 0, end; at < 1ULL << EPT_GPA_BITS; at = end) {
		end = at < 24 * MiB ? at + 4 * MiB : 1ULL << EPT_GPA_BITS;
		ept_retype_part(&m->ept, cpu, at, end - at);
	}
}

static void change_count(struct model *m, struct model_cpu *cpu, int delta)
{
	struct ept_cpu ept_cpu = as_ept_cpu(cpu);
	uint64_t was[CANDIDATES * ARRAY_SIZE(pages)];
	uint64_t cleared = m->ept.stats.leaves_cleared;
	bool zero = m->noncoherent == 0;
	bool refused = zero && delta < 0;
	bool expected;

	if (m->noncoherent == 5 && delta > 0) return;
	for (unsigned i = 0; i < ARRAY_SIZE(was); i++) {
		unsigned level;

		was[i] = ept_walk(&m->ept, page_of(&(struct model_op){.where = (uint16_t)i}), &level);
	}
	if (!refused) m->noncoherent += (unsigned)delta;
	expected = !refused && zero != (m->noncoherent == 0) && m->config->policy != MEMTYPE_KVM_6_16;
	require(m, ept_noncoherent_change(&m->ept, &ept_cpu, delta) == expected,
		"ept_noncoherent_change() reports a transition wrongly");
	require(m, m->ept.noncoherent == m->noncoherent, "the noncoherent count is wrong");
	if (expected && m->config->twice) retype_parts(m, &ept_cpu);
	note_leaves(m);
	if (expected && m->config->transition == EPT_TRANSITION_RETYPE && memtype_zaps_transitions(m->config->policy)) {
		cleared = m->ept.stats.leaves_cleared - cleared;
		require(m, !cleared || m->world.tables == m->world.pages,
			"a retype cleared leaves although tables were left");
		check_retyped(m, cpu, was, cleared);
	}
	if (expected && m->config->policy != MEMTYPE_KVM_6_6) write_back(m, 0, ~0ULL);
}

/* Register and value from 32 random bits: ranges around the slots, of 4K to 2G. */
static void write_mtrr(struct model *m, struct model_cpu *cpu, const struct model_op *op)
{
	static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26c, 0x26f};
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned type = valid_types[op->value % 5], n = (op->value >> 8) % 4, count;
	unsigned log2 = 12 + (op->value >> 16) % 20;
	uint64_t types = 0x0101010101010101 * valid_types[(op->value >> 20) % 5];
	uint64_t mask = BITS(GUEST_WIDTH - 1, 0) & ~((1ULL << log2) - 1);
	uint64_t value;
	uint32_t msr;

	switch ((op->value >> 3) % 6) {
	case 0:
		msr = 0x2ff;
		value = type | ((op->value >> 12) & 7 ? 0x800 : 0) | ((op->value >> 15) & 1) << 10;
		break;
	case 1:
		msr = fixed[(op->value >> 10) % ARRAY_SIZE(fixed)];
		value = (types & ~0xff00ULL) | (uint64_t)type << 8;
		break;
	case 2:
	case 3:
		msr = 0x201 + 2 * n;
		value = mask | ((op->value >> 12) & 3 ? 0x800 : 0);
		break;
	default:
		msr = 0x200 + 2 * n;
		value = (page_of(op) & BITS(GUEST_WIDTH - 1, 12)) | type;
		break;
	}
	require(m, mtrr_write(&cpu->mtrr, msr, value, changed, &count) == 0, "a valid MTRR value was refused");
	ept_type_changed(&m->ept, changed, count);
}

static void toggle_cd(struct model *m, struct model_cpu *cpu)
{
	struct ept_range all = {0, 1ULL << 48};

	cpu->cd = !cpu->cd;
	ept_type_changed(&m->ept, &all, 1);
}

static void add_slot(struct model *m, unsigned n)
{
	struct ept_slot new = candidates[n];
	int expected = 0;

	for (unsigned i = 0; i < CANDIDATES; i++) {
		const struct ept_slot *slot = &candidates[i];

		if (m->present[i] && new.gpa < slot->gpa + slot->size && slot->gpa < new.gpa + new.size)
			expected = -EEXIST;
	}
	if (is_twice(m, &new) && !expected) {
		m->flags[n] = calloc(1, new.size / PAGE_SIZE);
		new.kind = EPT_SLOT_RAM_TWICE;
		new.uncached_hpa = new.hpa + TWICE;
		new.pages = m->flags[n];
	}
	require(m, ept_slot_add(&m->ept, &new) == expected, "ept_slot_add() returns wrongly");
	if (expected == 0) m->present[n] = true;
}

static void remove_slot(struct model *m, unsigned n)
{
	int expected = -ENOENT;
	unsigned removed = CANDIDATES;

	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (m->present[i] && candidates[i].gpa == candidates[n].gpa) {
			m->present[i] = false;
			expected = 0;
			removed = i;
			break;
		}
	}
	require(m, ept_slot_remove(&m->ept, candidates[n].gpa) == expected, "ept_slot_remove() returns wrongly");
	if (removed < CANDIDATES) forget_lines(m, removed);
}

static void zap_range(struct model *m, const struct model_op *op)
{
	uint64_t gpa = page_of(op), size = (1ULL + op->value % 1025) * PAGE_SIZE;
	unsigned level;

	m->result->zapped += (unsigned)ept_zap_range(&m->ept, gpa, size);
	require(m, !ept_walk(&m->ept, gpa, &level), "a leaf of the range is left after a zap");
	if (gpa + size <= 1ULL << 48)
		require(m, !ept_walk(&m->ept, gpa + size - 1, &level), "a leaf of the range is left after a zap");
}

static void step(struct model *m, const struct model_op *op)
{
	struct model_cpu *cpu = &m->cpu[op->cpu % m->config->cpus];
	struct ept_cpu ept_cpu = as_ept_cpu(cpu);
	uint64_t gpa = page_of(op);

	switch ((enum model_op_kind)(op->kind % OP_KINDS)) {
	case OP_READ:
	case OP_WRITE: access_page(m, cpu, gpa + op->value % PAGE_SIZE / 8 * 8 % PAGE_SIZE, op->kind % OP_KINDS); break;
	case OP_SPECULATE: speculate(m, cpu, gpa); break;
	case OP_BEGIN: cpu->filling = !ept_fault_begin(&m->ept, &ept_cpu, gpa, false, &cpu->fill); break;
	case OP_INSTALL: install(m, cpu); break;
	case OP_ATTACH: change_count(m, cpu, 1); break;
	case OP_DETACH: change_count(m, cpu, -1); break;
	case OP_WRMSR: write_mtrr(m, cpu, op); break;
	case OP_CD: toggle_cd(m, cpu); break;
	case OP_SLOT_ADD: add_slot(m, op->where % CANDIDATES); break;
	case OP_SLOT_REMOVE: remove_slot(m, op->where % CANDIDATES); break;
	case OP_ZAP_RANGE: zap_range(m, op); break;
	case OP_ZAP_ALL: m->result->zapped += (unsigned)ept_zap_all(&m->ept); break;
	case OP_DMA_READ: dma(m, gpa, false, op->value & 1); break;
	case OP_DMA_WRITE: dma(m, gpa, true, op->value & 1); break;
	case OP_EMULATED_READ: emulated_access(m, cpu, gpa, false); break;
	case OP_EMULATED_WRITE: emulated_access(m, cpu, gpa, true); break;
	case OP_WRITE_BACK:
		if (op->value & 1)
			write_back(m, 0, ~0ULL);
		else
			write_back(m, gpa, (1 + (op->value >> 1) % 1024) * PAGE_SIZE);
		break;
	case OP_KINDS: break;
	}
}

/* Everything cached or in the tables, not only what happens to be accessed next. */
static void check_all(struct model *m)
{
	const char *broken = world_check(&m->world, &m->ept, NULL);

	if (broken) blame(m, broken);
	check_lines(m);
	for (unsigned i = 0; i < m->config->cpus; i++) {
		for (unsigned c = 0; c < MODEL_LEAVES; c++) {
			struct model_cached *cached = &m->cpu[i].leaf[c];

			if (cached->level) check_use(m, cached->gpa, cached->value, cached->level);
		}
	}
}

static void start(struct model *m)
{
	struct ept_caps caps = {.large_2m = m->config->large_2m,
				.large_1g = m->config->large_1g,
				.accessed_dirty = m->config->accessed_dirty,
				.address_width = HOST_WIDTH};

	world_init(&m->world, m->config->pages);
	m->world.on_flush = flush_all;
	m->world.on_flush_arg = m;
	m->world.host.copy_page = m->config->twice ? copy_page : NULL;
	if (ept_init(&m->ept, &m->world.host, &caps, m->config->policy)) blame(m, "ept_init() fails");
	m->ept.transition = m->config->transition;
	m->ept.fill = m->config->fill;
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		mtrr_reset(&m->cpu[i].mtrr, GUEST_WIDTH);
		m->cpu[i].accessed_dirty = ept_pointer(&m->ept) & BIT(6);
		m->cpu[i].exact = m->config->twice;
	}
}

void model_run(const struct model_config *config, const struct model_op *ops, unsigned count,
	       struct model_result *result)
{
	struct model *m = calloc(1, sizeof(*m));

	memset(result, 0, sizeof(*result));
	m->config = config;
	m->result = result;
	start(m);
	for (unsigned i = 0; i < count && !result->broken; i++) {
		result->at = i;
		step(m, &ops[i]);
		if (i % 256 == 255 || i == count - 1) check_all(m);
	}
	ept_destroy(&m->ept);
	if (m->world.tables || m->world.errors) blame(m, "ept_destroy() leaves tables behind or frees one twice");
	world_destroy(&m->world);
	for (unsigned i = 0; i < CANDIDATES; i++) free(m->flags[i]);
	free(m);
}

void model_print_op(FILE *out, const struct model_config *config, const struct model_op *op)
{
	static const char *const names[OP_KINDS] = {
		"read",    "write",    "speculate", "fault begin",   "fault install",  "attach",
		"detach",  "wrmsr",    "CD",        "slot add",      "slot remove",    "zap range",
		"zap all", "DMA read", "DMA write", "emulated read", "emulated write", "WBINVD"};

	fprintf(out, "cpu %u %-13s slot %2u page 0x%llx value 0x%x\n", op->cpu % config->cpus,
		names[op->kind % OP_KINDS], (unsigned)(op->where % CANDIDATES), (unsigned long long)page_of(op),
		op->value);
}
