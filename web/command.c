// SPDX-License-Identifier: MIT
/*
 * One step of the playground in words: "write 0 0x2240000 65", "ring". The table at the end has all
 * of them, what each takes, and who carries it out; a link to the page is a list of such steps.
 */
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "tools/memtype_policy.h"
#include "web/machine.h"

#define WORDS      8
#define WORD_SIZE  32
#define SWEEP_MOST (64 * MiB)

struct words {
	unsigned count, at;
	char word[WORDS][WORD_SIZE];
};

static int refuse(struct machine *m, const char *found, const char *expected)
{
	m->error[0] = '\0';
	format_append(m->error, sizeof(m->error), "'%s', expected %s", found, expected);
	return -EINVAL;
}

static bool split(const char *text, struct words *words)
{
	memset(words, 0, sizeof(*words));
	while (*text) {
		size_t length = 0;

		for (; *text == ' '; text++)
			;
		while (text[length] && text[length] != ' ') length++;
		if (!length) break;
		if (words->count == WORDS || length >= WORD_SIZE) return false;
		for (size_t i = 0; i < length; i++) words->word[words->count][i] = text[i];
		words->count++;
		text += length;
	}
	return true;
}

/* The next word, or "" behind the last. */
static const char *peek(const struct words *words) { return words->at < words->count ? words->word[words->at] : ""; }

static const char *next(struct words *words)
{
	const char *word = peek(words);

	words->at++;
	return word;
}

static bool is_next(struct words *words, const char *expected)
{
	if (strcmp(peek(words), expected) != 0) return false;
	words->at++;
	return true;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9') return (unsigned)(c - '0');
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* Decimal or 0x and hexadecimal, with K, M or G behind it. */
static bool number(const char *text, uint64_t *value)
{
	unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
	const char *p = base == 16 ? text + 2 : text;

	*value = 0;
	if (digit_of(*p) >= base) return false;
	for (; digit_of(*p) < base; p++) *value = *value * base + digit_of(*p);
	if (*p == 'K' || *p == 'M' || *p == 'G') *value <<= *p == 'K' ? 10 : *p == 'M' ? 20 : 30, p++;
	return !*p;
}

static bool number_up_to(struct words *words, uint64_t most, uint64_t *value)
{
	return number(next(words), value) && *value <= most;
}

#define ADDRESS_MOST (BIT(40) - 1)

static bool address(struct words *words, uint64_t *value) { return number_up_to(words, ADDRESS_MOST, value); }

static bool vcpu(struct words *words, unsigned *cpu)
{
	uint64_t value;
	bool good = number_up_to(words, CPUS - 1, &value);

	*cpu = (unsigned)value;
	return good;
}

/* One vCPU or "all": the first, and behind the last. */
static bool vcpus(struct words *words, unsigned *from, unsigned *end)
{
	*from = 0;
	*end = CPUS;
	if (is_next(words, "all")) return true;
	if (!vcpu(words, from)) return false;
	*end = *from + 1;
	return true;
}

static bool type_word(struct words *words, enum memtype *type)
{
	const char *word = next(words);

	for (unsigned i = 0; i <= MEMTYPE_UC_MINUS; i++) {
		*type = (enum memtype)i;
		if (memtype_name(i)[0] != '?' && !strcmp(memtype_name(i), word)) return true;
	}
	return false;
}

/* Without a word: as the hypervisor's own defaults. */
static const struct properties plain = {.policy = MEMTYPE_KVM_6_7, .caching_mode = true, .largest = 3};

static bool do_vm(struct machine *m, struct words *words)
{
	struct properties properties = plain;

	while (*peek(words)) {
		if (is_next(words, "sc"))
			properties.snoop_control = true;
		else if (is_next(words, "cm=off"))
			properties.caching_mode = false;
		else if (is_next(words, "coherence=model"))
			properties.coherence = true;
		else if (is_next(words, "transition=retype"))
			properties.transition = EPT_TRANSITION_RETYPE;
		else if (is_next(words, "fill=table"))
			properties.fill = EPT_FILL_TABLE;
		else if (is_next(words, "large=4K"))
			properties.largest = 1;
		else if (is_next(words, "large=2M"))
			properties.largest = 2;
		else if (memtype_policy_parse(peek(words)) >= 0)
			properties.policy = (enum memtype_policy)memtype_policy_parse(next(words));
		else
			return false;
	}
	machine_reset(m, &properties);
	return true;
}

/* Which copy an access reaches. */
static const struct by old_by = {"stale", "ept_leaf_comes", "ept/coherence.c", "SDM 3A 12.11.8"};
static const struct by old_dma_by = {"stale", "dma_page", "ept/coherence.c", "SDM 3A 12.11.8"};

static bool do_read(struct machine *m, struct words *words)
{
	uint64_t gpa;
	unsigned cpu;
	uint8_t byte;

	if (!vcpu(words, &cpu) || !address(words, &gpa)) return false;
	if (cpu_access(m, cpu, gpa, false, &byte, false)) return true;
	watch(m, gpa);
	bytes_read(m, &old_by, gpa, byte);
	return true;
}

static bool do_write(struct machine *m, struct words *words)
{
	uint64_t gpa, value;
	unsigned cpu;
	uint8_t byte;

	if (!vcpu(words, &cpu) || !address(words, &gpa) || !number_up_to(words, 0xff, &value)) return false;
	byte = (uint8_t)value;
	if (cpu_access(m, cpu, gpa, true, &byte, false)) return true;
	watch(m, gpa);
	bytes_written(m, "vCPU", cpu, gpa, byte);
	return true;
}

/* One byte of each page; what comes of it is summed up in one line. */
static bool do_sweep(struct machine *m, struct words *words)
{
	static const struct by by = {"install", "ept_fault", "ept/fault.c", "SDM 3C 29.3.2"};
	uint64_t start, size, before[4];
	unsigned cpu, lines = m->lines, lost = m->lost;
	uint8_t byte;

	if (!vcpu(words, &cpu) || !address(words, &start) || !address(words, &size) || size > SWEEP_MOST) return false;
	memcpy(before, m->ept.stats.installed, sizeof(before));
	for (uint64_t at = start; at < start + size; at += PAGE_SIZE) cpu_access(m, cpu, at, false, &byte, true);
	m->lines = lines;
	m->lost = lost;
	say(m, &by, "vCPU %u reads a byte of each page in 0x%lx-0x%lx: new leaves: %lu of 4K, %lu of 2M", cpu, start,
	    start + size - 1, m->ept.stats.installed[1] - before[1], m->ept.stats.installed[2] - before[2]);
	return true;
}

/* WRMSR, and what follows from it (hv/exits/msr.c). */
static bool write_mtrr(struct machine *m, unsigned cpu, uint32_t msr, uint64_t value)
{
	static const struct by by = {"mtrr", "mtrr_write", "ept/mtrr.c", "SDM 3A 12.11.2"};
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned count;

	if (mtrr_write(&m->cpu[cpu].mtrr, msr, value, changed, &count)) {
		say(m, &by, "vCPU %u: WRMSR 0x%x = 0x%lx: #GP(0)", cpu, msr, value);
		return false;
	}
	say(m, &by, "vCPU %u: WRMSR 0x%x = 0x%lx: %u range%s changed type", cpu, msr, value, count,
	    count == 1 ? "" : "s");
	if (count) ept_type_changed(&m->ept, changed, count);
	return true;
}

static void set_mtrr_range(struct machine *m, unsigned cpu, uint64_t range, uint64_t base, uint64_t mask)
{
	uint32_t msr = MSR_IA32_MTRR_PHYSBASE0 + 2 * (uint32_t)range;

	if (m->cpu[cpu].mtrr.mask[range] & PHYSMASK_V) write_mtrr(m, cpu, msr + 1, 0);
	if (mask && write_mtrr(m, cpu, msr, base)) write_mtrr(m, cpu, msr + 1, mask);
}

static bool do_mtrr(struct machine *m, struct words *words)
{
	uint64_t range, start = 0, size = 0;
	enum memtype type = MEMTYPE_UC;
	unsigned from, end;
	bool is_default, off = false;

	if (!vcpus(words, &from, &end)) return false;
	is_default = is_next(words, "default");
	if (!is_default && !number_up_to(words, MTRR_VARIABLE_COUNT - 1, &range)) return false;
	off = !is_default && is_next(words, "off");
	if (!off && !type_word(words, &type)) return false;
	if (!is_default && !off &&
	    (!address(words, &start) || !address(words, &size) || size < PAGE_SIZE || (size & (size - 1)) ||
	     !IS_ALIGNED(start, size)))
		return false;
	for (unsigned cpu = from; cpu < end; cpu++) {
		if (is_default)
			write_mtrr(m, cpu, MSR_IA32_MTRR_DEF_TYPE, (m->cpu[cpu].mtrr.def_type & ~DEF_TYPE_TYPE) | type);
		else
			set_mtrr_range(m, cpu, range, start | type,
				       off ? 0 : (BIT(m->cpu[cpu].mtrr.address_width) - size) | PHYSMASK_V);
	}
	return true;
}

static bool do_cd(struct machine *m, struct words *words)
{
	static const struct by by = {"cd", "vcpu_set_cache_disable", "hv/vm/memory_types.c", "SDM 3C 27.3.2.1"};
	const struct ept_range all = {0, BIT(48)};
	unsigned from, end;
	uint64_t value;

	if (!vcpus(words, &from, &end) || !number_up_to(words, 1, &value)) return false;
	for (unsigned cpu = from; cpu < end; cpu++) {
		m->cpu[cpu].cd = value;
		say(m, &by, "vCPU %u: CR0.CD = %u", cpu, (unsigned)value);
		ept_type_changed(&m->ept, &all, 1);
	}
	return true;
}

static bool do_pat(struct machine *m, struct words *words)
{
	static const struct by by = {"pat", "memtype_effective", "ept/memtype.c", "SDM 3A 12.12.3"};
	unsigned from, end;
	enum memtype type;

	if (!vcpus(words, &from, &end) || !type_word(words, &type)) return false;
	for (unsigned cpu = from; cpu < end; cpu++) {
		m->pat[cpu] = type;
		say(m, &by, "vCPU %u: its page tables choose a PAT entry of type %s", cpu, memtype_name(type));
	}
	return true;
}

static bool do_iommu(struct machine *m, struct words *words)
{
	if (is_next(words, "on"))
		guest_start(m);
	else if (is_next(words, "off"))
		guest_stop(m);
	else
		return false;
	return true;
}

static bool device(struct words *words, unsigned *number)
{
	uint64_t value;
	bool good = number_up_to(words, DEVICES - 1, &value);

	*number = (unsigned)value;
	return good;
}

static bool do_map(struct machine *m, struct words *words)
{
	uint64_t iova, gpa, flags = 0;
	unsigned n;

	if (!device(words, &n) || !address(words, &iova) || !address(words, &gpa)) return false;
	if (is_next(words, "r"))
		flags = VTD_SL_R;
	else if (is_next(words, "w"))
		flags = VTD_SL_W;
	else if (is_next(words, "rw"))
		flags = VTD_SL_R | VTD_SL_W;
	if (is_next(words, "snp")) flags |= VTD_SL_SNP;
	if (!flags || !IS_ALIGNED(iova | gpa, PAGE_SIZE) || guest_map(m, n, iova, gpa, flags)) return false;
	watch(m, gpa);
	return true;
}

static bool do_unmap(struct machine *m, struct words *words)
{
	uint64_t iova;
	unsigned n;

	return device(words, &n) && address(words, &iova) && IS_ALIGNED(iova, PAGE_SIZE) &&
	       !guest_map(m, n, iova, 0, 0);
}

#define DOMAIN_MOST 0xffff

static bool do_context(struct machine *m, struct words *words)
{
	uint64_t domain, type = VTD_TT_UNTRANSLATED;
	unsigned n;

	if (!device(words, &n)) return false;
	if (is_next(words, "off")) return !guest_context(m, n, m->driver.domain[n], 0, false);
	if (!number_up_to(words, DOMAIN_MOST, &domain)) return false;
	if (is_next(words, "pass")) type = VTD_TT_PASS_THROUGH;
	return !guest_context(m, n, (unsigned)domain, type, true);
}

static bool queue_context(struct machine *m, struct words *words)
{
	uint64_t domain;
	unsigned n;

	if (is_next(words, "global")) {
		guest_queue(m, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0, "context cache, global");
	} else if (is_next(words, "domain")) {
		if (!number_up_to(words, DOMAIN_MOST, &domain)) return false;
		guest_queue(m, VTD_DESC_CONTEXT | TO_FIELD(VTD_DOMAIN, VTD_DESC_G) | TO_FIELD(domain, VTD_DESC_DID), 0,
			    "context cache, one domain");
	} else if (is_next(words, "device")) {
		if (!device(words, &n)) return false;
		guest_queue(m,
			    VTD_DESC_CONTEXT | TO_FIELD(VTD_DEVICE, VTD_DESC_G) |
				    TO_FIELD(m->driver.domain[n], VTD_DESC_DID) |
				    TO_FIELD(device_id[n], VTD_CONTEXT_DESC_SID),
			    0, n ? "context cache, device 1" : "context cache, device 0");
	} else {
		return false;
	}
	return true;
}

static bool queue_iotlb(struct machine *m, struct words *words)
{
	uint64_t domain, iova;

	if (is_next(words, "global")) {
		guest_queue(m, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0, "IOTLB, global");
	} else if (is_next(words, "domain")) {
		if (!number_up_to(words, DOMAIN_MOST, &domain)) return false;
		guest_queue(m, VTD_DESC_IOTLB | TO_FIELD(VTD_DOMAIN, VTD_DESC_G) | TO_FIELD(domain, VTD_DESC_DID), 0,
			    "IOTLB, one domain");
	} else if (is_next(words, "page")) {
		if (!number_up_to(words, DOMAIN_MOST, &domain) || !address(words, &iova)) return false;
		guest_queue(m, VTD_DESC_IOTLB | TO_FIELD(VTD_PAGE, VTD_DESC_G) | TO_FIELD(domain, VTD_DESC_DID),
			    ALIGN_DOWN(iova, PAGE_SIZE), "IOTLB, one page");
	} else {
		return false;
	}
	return true;
}

static bool do_queue(struct machine *m, struct words *words)
{
	if (is_next(words, "context")) return queue_context(m, words);
	return is_next(words, "iotlb") && queue_iotlb(m, words);
}

static bool do_ring(struct machine *m, struct words *words)
{
	(void)words;
	guest_ring(m);
	return true;
}

static bool do_nosnoop(struct machine *m, struct words *words)
{
	static const struct by by = {"device", "iommu_set_no_snoop", "iommu/attach.c", "VT-d 9.8"};
	uint64_t value;
	unsigned n;

	if (!device(words, &n) || !number_up_to(words, 1, &value)) return false;
	say(m, &by, "guest: Enable No Snoop of device %u = %u", n, (unsigned)value);
	iommu_set_no_snoop(&m->iommu, device_id[n], value);
	return true;
}

static bool do_dma(struct machine *m, struct words *words)
{
	static const struct by out_by = {"dma", "iommu_dma_read", "iommu/dma.c", "VT-d 6.2"};
	static const struct by in_by = {"dma", "iommu_dma_write", "iommu/dma.c", "VT-d 6.2"};
	bool in = is_next(words, "in");
	uint64_t iova, value = 0;
	unsigned n;
	uint8_t byte;
	int error;

	if ((!in && !is_next(words, "out")) || !device(words, &n) || !address(words, &iova) ||
	    (in && !number_up_to(words, 0xff, &value)))
		return false;
	byte = (uint8_t)value;
	m->around = false;
	error = in ? iommu_dma_write(&m->iommu, device_id[n], iova, &byte, 1)
		   : iommu_dma_read(&m->iommu, device_id[n], iova, &byte, 1);
	say(m, in ? &in_by : &out_by, "device %u %s 0x%02x at iova 0x%lx%s", n, in ? "writes" : "reads", byte, iova,
	    error       ? ": blocked"
	    : m->around ? ", around the caches"
			: ", the caches snooped");
	if (!error && in)
		bytes_written(m, "device", n, m->dma_gpa, byte);
	else if (!error)
		bytes_read(m, &old_dma_by, m->dma_gpa, byte);
	return true;
}

static bool do_wbinvd(struct machine *m, struct words *words)
{
	unsigned cpu;

	if (!vcpu(words, &cpu)) return false;
	cpu_write_back(m, cpu);
	return true;
}

static bool do_skip(struct machine *m, struct words *words)
{
	static const struct by by = {"skipped", "ept_flush", "ept/ept.c", "SDM 3C 29.4.3.3"};
	static const struct by zap_by = {"skipped", "clear_leaves", "ept/zap.c", "SDM 3C 29.3.7.2"};
	unsigned from, end;
	uint64_t value;

	if (is_next(words, "zap")) {
		if (!number_up_to(words, 1, &value)) return false;
		m->skip.zap = value;
		say(m, &zap_by, "from now on transitions %s", value ? "do not zap: a defect" : "zap");
		return true;
	}
	if (!is_next(words, "invept") || !vcpus(words, &from, &end) || !number_up_to(words, 1, &value)) return false;
	for (unsigned cpu = from; cpu < end; cpu++) {
		m->skip.invept[cpu] = value;
		say(m, &by, "from now on CPU %u %s", cpu,
		    value ? "is left out of INVEPT: a defect" : "executes INVEPT");
	}
	return true;
}

static const struct {
	const char *name;
	bool (*run)(struct machine *m, struct words *words);
	const char *expected;
} commands[] = {
	{"vm", do_vm,
	 "vm [kvm-6.6|kvm-6.7|kvm-6.11|kvm-6.16] [transition=retype] [fill=table] [sc] [cm=off] "
	 "[large=4K|2M] [coherence=model]"},
	{"read", do_read, "read VCPU ADDRESS"},
	{"write", do_write, "write VCPU ADDRESS BYTE"},
	{"sweep", do_sweep, "sweep VCPU START SIZE (at most 64M)"},
	{"mtrr", do_mtrr,
	 "mtrr VCPU|all default TYPE, or RANGE TYPE START SIZE (a power of two that divides "
	 "START), "
	 "or RANGE off"},
	{"cd", do_cd, "cd VCPU|all 0|1"},
	{"pat", do_pat, "pat VCPU|all TYPE"},
	{"iommu", do_iommu, "iommu on|off"},
	{"map", do_map, "map DEVICE IOVA ADDRESS r|w|rw [snp], pages of 4K, at most 16"},
	{"unmap", do_unmap, "unmap DEVICE IOVA"},
	{"context", do_context, "context DEVICE off, or DOMAIN [pass]"},
	{"queue", do_queue, "queue context global|domain N|device N, or queue iotlb global|domain N|page DOMAIN IOVA"},
	{"ring", do_ring, "ring"},
	{"nosnoop", do_nosnoop, "nosnoop DEVICE 0|1"},
	{"dma", do_dma, "dma out DEVICE IOVA, or dma in DEVICE IOVA BYTE"},
	{"wbinvd", do_wbinvd, "wbinvd VCPU"},
	{"skip", do_skip, "skip zap 0|1, or skip invept VCPU|all 0|1"},
};

int machine_command(struct machine *m, const char *text)
{
	struct words words;
	const char *name;

	if (!m->world.pages) machine_reset(m, &plain);
	m->lines = m->lost = 0;
	m->error[0] = '\0';
	if (!split(text, &words)) return refuse(m, "so many or so long words", "a step");
	name = next(&words);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) != 0) continue;
		if (!commands[i].run(m, &words) || words.at < words.count) return refuse(m, text, commands[i].expected);
		return 0;
	}
	return refuse(m, name,
		      "vm, read, write, sweep, mtrr, cd, pat, iommu, map, unmap, context, "
		      "queue, ring, nosnoop, dma, wbinvd or skip");
}
