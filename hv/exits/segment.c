/* SPDX-License-Identifier: MIT */
/*
 * Segment registers as MOV and task switches load them: the descriptor is found, checked and marked
 * accessed (SDM 3A 5.5-5.7, 8.2.4), or its exception is the guest's.
 */
#include "hv/exits/segment.h"

#include "hv/vm/guest_memory.h"

#define DESCRIPTOR_BASE_LOW   BITS(39, 16)
#define DESCRIPTOR_BASE_HIGH  BITS(63, 56)
#define DESCRIPTOR_LIMIT_LOW  BITS(15, 0)
#define DESCRIPTOR_LIMIT_HIGH BITS(51, 48)
#define DESCRIPTOR_RIGHTS     BITS(55, 40) /* but for the limit's bits */
#define DESCRIPTOR_TYPE_AT    5            /* bytes */

int segment_fault(struct vcpu *vcpu, unsigned vector, uint16_t selector)
{
	vcpu_inject(vcpu, vector, true, selector & ~SELECTOR_RPL);
	return -EFAULT;
}

int segment_find(struct vcpu *vcpu, uint16_t selector, unsigned vector, struct descriptor *d)
{
	bool local = selector & SELECTOR_TI;
	uint64_t table = vmread(local ? VMCS_GUEST_LDTR_BASE : VMCS_GUEST_GDTR_BASE);
	uint64_t limit = vmread(local ? VMCS_GUEST_LDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT);
	unsigned at = selector & ~(SELECTOR_RPL | SELECTOR_TI);

	d->selector = selector;
	d->type_at = table + at + DESCRIPTOR_TYPE_AT;
	if (at + 7 > limit || (local && vmread(VMCS_GUEST_LDTR_ACCESS_RIGHTS) & SEGMENT_UNUSABLE))
		return segment_fault(vcpu, vector, selector);
	if (guest_read(vcpu, table + at, sizeof(d->raw), true, &d->raw)) return -EFAULT;
	d->rights = (uint32_t)FIELD(d->raw, DESCRIPTOR_RIGHTS) & 0xf0ffU;
	return 0;
}

uint32_t descriptor_base(const struct descriptor *d)
{
	return (uint32_t)(FIELD(d->raw, DESCRIPTOR_BASE_LOW) | FIELD(d->raw, DESCRIPTOR_BASE_HIGH) << 24);
}

uint32_t descriptor_limit(const struct descriptor *d)
{
	uint64_t limit = FIELD(d->raw, DESCRIPTOR_LIMIT_LOW) | FIELD(d->raw, DESCRIPTOR_LIMIT_HIGH) << 16;

	return (uint32_t)(d->rights & SEGMENT_G ? limit << 12 | BITS(11, 0) : limit);
}

void segment_set(unsigned segment, const struct descriptor *d)
{
	vmwrite(VMCS_GUEST_SELECTOR(segment), d->selector);
	vmwrite(VMCS_GUEST_BASE(segment), descriptor_base(d));
	vmwrite(VMCS_GUEST_LIMIT(segment), descriptor_limit(d));
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(segment), d->rights);
}

void segment_set_null(unsigned segment, uint16_t selector)
{
	vmwrite(VMCS_GUEST_SELECTOR(segment), selector);
	vmwrite(VMCS_GUEST_BASE(segment), 0); /* 64-bit mode adds that of FS and GS all the same */
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(segment), SEGMENT_UNUSABLE);
}

/* As in real and virtual-8086 mode; the limit of real mode stays what it was. */
static void segment_set_real(unsigned segment, uint16_t selector)
{
	vmwrite(VMCS_GUEST_SELECTOR(segment), selector);
	vmwrite(VMCS_GUEST_BASE(segment), (uint64_t)selector << 4);
}

void segment_set_virtual_8086(unsigned segment, uint16_t selector)
{
	segment_set_real(segment, selector);
	vmwrite(VMCS_GUEST_LIMIT(segment), 0xffff);
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(segment), SEGMENT_VIRTUAL_8086);
}

/* May the register hold this segment (SDM 2B "MOV")? */
static bool is_allowed(unsigned segment, const struct descriptor *d, unsigned cpl)
{
	unsigned rpl = d->selector & SELECTOR_RPL, dpl = (unsigned)FIELD(d->rights, SEGMENT_DPL);
	bool code = d->rights & SEGMENT_TYPE_CODE, conforming = d->rights & SEGMENT_TYPE_CONFORMING;

	if (!(d->rights & SEGMENT_S)) return false;
	if (segment == SEG_CS) return code && (conforming ? dpl <= rpl : dpl == rpl);
	if (segment == SEG_SS) return !code && d->rights & SEGMENT_TYPE_WRITABLE && rpl == cpl && dpl == cpl;
	if (code && !(d->rights & SEGMENT_TYPE_READABLE)) return false;
	return (code && conforming) || (rpl <= dpl && cpl <= dpl);
}

int segment_load_protected(struct vcpu *vcpu, unsigned segment, uint16_t selector, unsigned cpl, unsigned vector)
{
	struct descriptor d;
	bool needed = segment == SEG_CS ||
		      (segment == SEG_SS && !(vcpu_mode(vcpu) == 64 && cpl < 3 && (selector & SELECTOR_RPL) == cpl));

	if (!(selector & ~SELECTOR_RPL)) {
		if (needed) return segment_fault(vcpu, vector, selector);
		segment_set_null(segment, selector);
		if (segment == SEG_SS) /* its DPL is the CPL */
			vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, SEGMENT_UNUSABLE | TO_FIELD(cpl, SEGMENT_DPL));
		return 0;
	}
	if (segment_find(vcpu, selector, vector, &d)) return -EFAULT;
	if (!is_allowed(segment, &d, cpl)) return segment_fault(vcpu, vector, selector);
	if (!(d.rights & SEGMENT_P)) return segment_fault(vcpu, segment == SEG_SS ? VECTOR_SS : VECTOR_NP, selector);
	if (!(d.rights & SEGMENT_TYPE_ACCESSED) && guest_mark(vcpu, d.type_at, SEGMENT_TYPE_ACCESSED, true) < 0)
		return -EFAULT;
	d.rights |= SEGMENT_TYPE_ACCESSED;
	segment_set(segment, &d);
	return 0;
}

int segment_load(struct vcpu *vcpu, unsigned segment, uint16_t selector)
{
	if (vmread(VMCS_GUEST_CR0) & CR0_PE && !(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM))
		return segment_load_protected(vcpu, segment, selector, vcpu_cpl(vcpu), VECTOR_GP);
	segment_set_real(segment, selector);
	return 0;
}
