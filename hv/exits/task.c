/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches (SDM 3A 8.3): a guest's JMP, CALL, IRET or task gate always exits before
 * one, so it is carried out here, between TSSs of 32 and of 16 bits. The CPU has checked the gate and
 * the new TSS's descriptor already (SDM 3C 26.4.2).
 */
#include "hv/exits/exit.h"
#include "hv/exits/segment.h"
#include "hv/vm/guest_memory.h"

/* SDM 3A figure 8-2. */
struct tss32 {
	uint32_t link;
	uint32_t stacks[6];
	uint32_t cr3;
	uint32_t eip, eflags;
	uint32_t gpr[8];     /* in encoding order */
	uint32_t segment[6]; /* and so are these */
	uint32_t ldt;
	uint32_t trap_and_io;
};
_Static_assert(sizeof(struct tss32) == 0x68, "SDM 3A figure 8-2");

/* What a task switch stores into the old TSS: EIP to GS. */
#define SAVED_AT   offsetof(struct tss32, eip)
#define SAVED_SIZE (offsetof(struct tss32, ldt) - SAVED_AT)
#define TSS_TRAP   BIT(0)
#define TSS_BUSY   BIT(1) /* of its type: 9 becomes 11, and 1 becomes 3 */

/* The same in 16 bits (SDM 3A figure 8-10), in words: without CR3, FS, GS and T, else each field one earlier. */
enum { TSS16_IP = 7, TSS16_LDT = 21, TSS16_WORDS };
#define GPR_HIGH 0xffff0000U /* what its registers have in their upper halves */

struct task_switch {
	struct vcpu *vcpu;
	uint64_t source;
	bool nests;     /* CALL and gates: a later IRET leads back */
	uint64_t event; /* what came through a gate: IDT-vectoring information, or 0 */
	uint64_t old_base;
	bool old_small, small; /* 16 bits */
	struct descriptor old, new;
	struct tss32 tss;
};

/* Where the old task goes on: behind its instruction, unless a fault or interrupt came. */
static uint32_t old_eip(const struct task_switch *t)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP), type = FIELD(t->event, INTERRUPTION_INFO_TYPE);

	if (t->source != TASK_SWITCH_SOURCE_GATE || type >= INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		rip += vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	return (uint32_t)rip;
}

static void collect_old(const struct task_switch *t, struct tss32 *tss)
{
	tss->eip = old_eip(t);
	tss->eflags = (uint32_t)vmread(VMCS_GUEST_RFLAGS);
	if (t->source == TASK_SWITCH_SOURCE_IRET) tss->eflags &= ~(uint32_t)RFLAGS_NT;
	for (unsigned i = 0; i < 8; i++) tss->gpr[i] = (uint32_t)vcpu_register(t->vcpu, i);
	for (unsigned s = VMCS_ES; s <= VMCS_GS; s++) tss->segment[s] = (uint16_t)vmread(VMCS_GUEST_SELECTOR(s));
}

static int read_new(struct task_switch *t)
{
	uint32_t *field = (uint32_t *)&t->tss;
	uint64_t base = descriptor_base(&t->new);
	uint16_t word[TSS16_WORDS];

	if (!t->small) return guest_read(t->vcpu, base, sizeof(t->tss), true, &t->tss);
	if (guest_read(t->vcpu, base, sizeof(word), true, word)) return -EFAULT;
	for (unsigned i = TSS16_IP; i < TSS16_LDT; i++) field[i + 1] = word[i];
	for (unsigned i = 0; i < 8; i++) t->tss.gpr[i] |= GPR_HIGH;
	t->tss.ldt = word[TSS16_LDT];
	return 0;
}

static int write_old(const struct task_switch *t, const struct tss32 *old)
{
	const uint32_t *field = (const uint32_t *)old;
	uint16_t word[TSS16_WORDS];

	if (!t->old_small) return guest_write(t->vcpu, t->old_base + SAVED_AT, SAVED_SIZE, true, &old->eip);
	for (unsigned i = TSS16_IP; i < TSS16_LDT; i++) word[i] = (uint16_t)field[i + 1];
	return guest_write(t->vcpu, t->old_base + TSS16_IP * sizeof(word[0]), (TSS16_LDT - TSS16_IP) * sizeof(word[0]),
			   true, &word[TSS16_IP]);
}

static unsigned tss_size(bool small) { return small ? TSS16_WORDS * sizeof(uint16_t) : sizeof(struct tss32); }

static bool is_small(uint64_t rights) { return !(rights & (SEGMENT_TYPE_TSS_BUSY ^ SEGMENT_TYPE_TSS16_BUSY)); }

/* All that may still fail in the old task: nothing is written before it has been read. */
static int begin(struct task_switch *t, uint16_t selector)
{
	struct vcpu *vcpu = t->vcpu;

	if (segment_find(vcpu, selector, VECTOR_TS, &t->new) ||
	    segment_find(vcpu, (uint16_t)vmread(VMCS_GUEST_SELECTOR(VMCS_TR)), VECTOR_TS, &t->old))
		return -EFAULT;
	t->small = is_small(t->new.rights);
	t->old_small = is_small(vmread(VMCS_GUEST_ACCESS_RIGHTS(VMCS_TR)));
	if (descriptor_limit(&t->new) < tss_size(t->small) - 1) return segment_fault(vcpu, VECTOR_TS, selector);
	if (vmread(VMCS_GUEST_LIMIT(VMCS_TR)) <
	    (t->old_small ? TSS16_LDT * sizeof(uint16_t) : SAVED_AT + SAVED_SIZE) - 1)
		return segment_fault(vcpu, VECTOR_TS, t->old.selector);
	t->old_base = vmread(VMCS_GUEST_BASE(VMCS_TR));
	if (read_new(t)) return -EFAULT;
	return guest_probe_write(vcpu, t->old_base, tss_size(t->old_small), true);
}

/* The busy flags, the old TSS, the link. */
static int store(struct task_switch *t)
{
	struct vcpu *vcpu = t->vcpu;
	uint32_t link = (uint32_t)vmread(VMCS_GUEST_SELECTOR(VMCS_TR));
	struct tss32 old;

	if (t->source != TASK_SWITCH_SOURCE_IRET) {
		int busy = guest_mark(vcpu, t->new.type_at, TSS_BUSY, true);

		if (busy < 0) return -EFAULT;
		if (busy) return segment_fault(vcpu, VECTOR_GP, t->new.selector); /* another CPU was faster */
	}
	collect_old(t, &old);
	if (write_old(t, &old)) return -EFAULT;
	if (!t->nests && guest_mark(vcpu, t->old.type_at, TSS_BUSY, false) < 0) return -EFAULT;
	if (!t->nests) return 0;
	t->tss.eflags |= RFLAGS_NT;
	return guest_write(vcpu, descriptor_base(&t->new), sizeof(uint16_t), true, &link);
}

static int load_cr3(struct vcpu *vcpu, uint32_t cr3)
{
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PG) || cr3 == vmread(VMCS_GUEST_CR3)) return 0;
	vmwrite(VMCS_GUEST_CR3, cr3);
	invvpid(vcpu->vpid);
	return vmread(VMCS_GUEST_CR4) & CR4_PAE ? guest_load_pdptes(vcpu) : 0;
}

/* From here on faults are the new task's. */
static void load_registers(const struct task_switch *t)
{
	struct vcpu *vcpu = t->vcpu;

	for (unsigned i = 0; i < 8; i++) vcpu_set_register(vcpu, i, t->tss.gpr[i]);
	vmwrite(VMCS_GUEST_RIP, t->tss.eip);
	vmwrite(VMCS_GUEST_RFLAGS, (t->tss.eflags & RFLAGS_DEFINED) | RFLAGS_FIXED_ONE);
	segment_set(VMCS_TR, &t->new);
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(VMCS_TR),
		SEGMENT_P | (t->small ? SEGMENT_TYPE_TSS16_BUSY : SEGMENT_TYPE_TSS_BUSY) | (SEGMENT_G & t->new.rights));
	vmwrite_set(VMCS_GUEST_CR0, CR0_TS);
	vmwrite_clear(VMCS_GUEST_DR7, DR7_LOCAL);
	/*
	 * What fails leaves selectors without segments behind. Its handler then has a stack of its own, for without SS
	 * the CPL is 3; and no entry is without CS, of whatever kind.
	 */
	for (unsigned s = VMCS_ES; s <= VMCS_GS; s++)
		(t->tss.eflags & RFLAGS_VM ? segment_set_virtual_8086 : segment_set_null)(s,
											  (uint16_t)t->tss.segment[s]);
	segment_set_null(VMCS_LDTR, (uint16_t)t->tss.ldt);
	if (t->tss.eflags & RFLAGS_VM) return;
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, SEGMENT_UNUSABLE | SEGMENT_DPL);
	vmwrite(VMCS_GUEST_SELECTOR(VMCS_CS), (uint16_t)(t->tss.segment[SEG_CS] | SELECTOR_RPL));
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, SEGMENT_FLAT_CODE32 | SEGMENT_TYPE_CONFORMING);
	vmwrite(VMCS_GUEST_LIMIT(VMCS_CS), ~0U);
}

static int load_ldt(struct vcpu *vcpu, uint16_t selector)
{
	struct descriptor d;

	if (!(selector & ~SELECTOR_RPL)) return 0;
	if (selector & SELECTOR_TI) return segment_fault(vcpu, VECTOR_TS, selector);
	if (segment_find(vcpu, selector, VECTOR_TS, &d)) return -EFAULT;
	if ((d.rights & (SEGMENT_TYPE | SEGMENT_S | SEGMENT_P)) != (SEGMENT_TYPE_LDT | SEGMENT_P))
		return segment_fault(vcpu, VECTOR_TS, selector);
	segment_set(VMCS_LDTR, &d);
	return 0;
}

static int load_segments(const struct task_switch *t)
{
	static const uint8_t order[] = {SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_CS};
	const uint32_t *selector = t->tss.segment;
	unsigned cpl = selector[SEG_CS] & SELECTOR_RPL;

	for (unsigned i = 0; !(t->tss.eflags & RFLAGS_VM) && i < ARRAY_SIZE(order); i++) {
		if (segment_load_protected(t->vcpu, order[i], (uint16_t)selector[order[i]], cpl, VECTOR_TS))
			return -EFAULT;
		if (order[i] == SEG_SS) vmwrite(VMCS_GUEST_SELECTOR(VMCS_CS), (uint16_t)selector[SEG_CS]);
	}
	return 0;
}

/* The error code that an exception brought through the gate goes to the new stack. */
static int push_error_code(const struct task_switch *t)
{
	struct vcpu *vcpu = t->vcpu;
	uint64_t rights = vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), limit = vmread(VMCS_GUEST_LIMIT(VMCS_SS));
	uint64_t mask = rights & SEGMENT_DB ? BITS(31, 0) : BITS(15, 0), old = vcpu_register(vcpu, RSP);
	unsigned width = t->small ? sizeof(uint16_t) : sizeof(uint32_t);
	uint64_t code = vmread(VMCS_IDT_VECTORING_ERROR_CODE), top = (old - width) & mask;

	if (rights & SEGMENT_TYPE_CONFORMING /* expands down */ ? top <= limit : top + width - 1 > limit)
		return segment_fault(vcpu, VECTOR_SS, 0);
	if (guest_write(vcpu, (uint32_t)(vmread(VMCS_GUEST_BASE(VMCS_SS)) + top), width, false, &code)) return -EFAULT;
	vcpu_set_register(vcpu, RSP, (old & ~mask) | top);
	return 0;
}

/* The new task's own: LDT, segments, and what it begins with. */
static void finish(struct task_switch *t)
{
	struct vcpu *vcpu = t->vcpu;

	load_registers(t);
	if (!t->small && load_cr3(vcpu, t->tss.cr3)) {
		segment_fault(vcpu, VECTOR_TS, 0);
		return;
	}
	if (load_ldt(vcpu, (uint16_t)t->tss.ldt) || load_segments(t)) return;
	if (t->event & INTERRUPTION_INFO_ERROR_CODE && push_error_code(t)) return;
	if (t->tss.eip > vmread(VMCS_GUEST_LIMIT(VMCS_CS)))
		segment_fault(vcpu, VECTOR_GP, 0);
	else if (t->tss.trap_and_io & TSS_TRAP)
		debug_raise(vcpu, DR6_BT);
}

static bool is_contributory(uint64_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* What came through the gate, and what its delivery raised: SDM 3A table 6-5, and 6.13 for EXT. */
static enum exit_action merge(struct vcpu *vcpu, uint64_t event)
{
	uint64_t info = vmread(VMCS_ENTRY_INTERRUPTION_INFO), type = FIELD(event, INTERRUPTION_INFO_TYPE);
	uint64_t first = FIELD(event, INTERRUPTION_INFO_VECTOR), second = FIELD(info, INTERRUPTION_INFO_VECTOR);

	if (!event || type >= INTERRUPTION_TYPE_SOFTWARE_INTERRUPT || !(info & INTERRUPTION_INFO_VALID))
		return VCPU_RESUME;
	if (is_contributory(second)) vmwrite_set(VMCS_ENTRY_EXCEPTION_ERROR_CODE, SELECTOR_EXT);
	if (type != INTERRUPTION_TYPE_HARDWARE_EXCEPTION || !(is_contributory(second) || second == VECTOR_PF))
		return VCPU_RESUME;
	if (first == VECTOR_DF) return exit_triple_fault(vcpu);
	if (first == VECTOR_PF || (is_contributory(first) && is_contributory(second)))
		vcpu_inject(vcpu, VECTOR_DF, true, 0);
	return VCPU_RESUME;
}

enum exit_action exit_task_switch(struct vcpu *vcpu)
{
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
	uint16_t selector = (uint16_t)FIELD(qualification, TASK_SWITCH_SELECTOR);
	struct task_switch t = {.vcpu = vcpu, .source = FIELD(qualification, TASK_SWITCH_SOURCE)};

	t.nests = t.source == TASK_SWITCH_SOURCE_CALL || t.source == TASK_SWITCH_SOURCE_GATE;
	if (t.source == TASK_SWITCH_SOURCE_GATE) t.event = vmread(VMCS_IDT_VECTORING_INFO);
	/* No shadow reaches into the new task, and IRET lets NMIs in, as any. */
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
		t.source == TASK_SWITCH_SOURCE_IRET ? 0
						    : vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI);
	if (!begin(&t, selector) && !store(&t)) finish(&t);
	return merge(vcpu, t.event);
}
