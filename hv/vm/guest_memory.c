/* SPDX-License-Identifier: MIT */
/*
 * Walks the guest's page tables and goes page by page through what an instruction names; a walk
 * that fails becomes the guest's page fault.
 */
#include "hv/vm/guest_memory.h"

#include "hv/vm/cpu_model.h"
#include "hv/vm/vm.h"

/* The registers as the VMCS has them now: to read them is cheaper than to track their changes. */
static void read_paging(struct vcpu *vcpu, uint64_t cr0, unsigned mode, bool system)
{
	struct guest_paging *p = &vcpu->paging;

	p->cr0 = cr0;
	p->cr3 = vmread(VMCS_GUEST_CR3);
	p->cr4 = vmread(VMCS_GUEST_CR4);
	p->efer = vmread(VMCS_GUEST_IA32_EFER);
	p->rflags = vmread(VMCS_GUEST_RFLAGS);
	p->mode = mode;
	p->cpl = system ? 0 : vcpu_cpl(vcpu);
	if (system) /* SMAP holds for it whatever AC says (SDM 3A 4.6.1) */
		p->rflags &= ~RFLAGS_AC;
	if (p->cr4 & CR4_PAE && !(p->efer & EFER_LMA))
		for (unsigned i = 0; i < 4; i++) p->pdpte[i] = vmread(VMCS_GUEST_PDPTE0 + 2 * i);
}

void guest_read_paging(struct vcpu *vcpu, struct guest_paging *paging)
{
	read_paging(vcpu, vmread(VMCS_GUEST_CR0), vcpu_mode(vcpu), false);
	*paging = vcpu->paging;
}

/* What a walk that failed is to the guest. -EFAULT; on -EAGAIN it just tries again. */
static __attribute__((noinline)) int walk_failed(struct vcpu *vcpu, int error, uint64_t linear, uint64_t gpa,
						 uint32_t error_code)
{
	switch (error) {
	case -EFAULT:
		write_cr2(linear); /* the hypervisor never faults, so CR2 is the guest's */
		vcpu_inject(vcpu, VECTOR_PF, true, error_code);
		break;
	case -EINVAL: vcpu_inject_gp(vcpu); break;
	case -ENOENT: vm_kill(vcpu->vm, "page walk at 0x%lx, which is not RAM", gpa); break;
	}
	return -EFAULT;
}

/* A linear address, of the current privilege level or of the CPU itself (SDM 3A 4.3-4.6). */
static int translate(struct vcpu *vcpu, uint64_t linear, enum guest_access access, bool system, uint64_t *gpa)
{
	uint64_t cr0 = vmread(VMCS_GUEST_CR0);
	uint32_t error_code;
	int error;

	*gpa = (uint32_t)linear;
	if (!(cr0 & CR0_PG)) return 0;
	read_paging(vcpu, cr0, vcpu_mode(vcpu), system);
	error = guest_walk(&vcpu->paging, &vcpu->ram, linear, access, gpa, &error_code);
	return error ? walk_failed(vcpu, error, linear, *gpa, error_code) : 0;
}

/* The same of an instruction. */
static inline int translate_fetch(struct vcpu *vcpu, uint64_t linear, unsigned mode, uint64_t *gpa)
{
	struct guest_walk_cache *cache = &vcpu->fetches[linear / PAGE_SIZE % ARRAY_SIZE(vcpu->fetches)];
	uint64_t cr0 = vmread(VMCS_GUEST_CR0);
	uint32_t error_code;
	int error;

	*gpa = (uint32_t)linear;
	if (!(cr0 & CR0_PG)) return 0;
	read_paging(vcpu, cr0, mode, false);
	error = guest_walk_fetch(cache, &vcpu->paging, &vcpu->ram, linear, gpa, &error_code);
	return error ? walk_failed(vcpu, error, linear, *gpa, error_code) : 0;
}

/* 1, 2, 4 or 8 bytes within one page. */
static void access_physical(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write, uint64_t *value)
{
	int error =
		write ? guest_ram_write(&vcpu->ram, gpa, value, width) : guest_ram_read(&vcpu->ram, gpa, value, width);

	if (error) vm_mmio(vcpu, gpa, width, write, value);
}

/* Any number of bytes within one page, as aligned accesses. */
static void access_bytes(struct vcpu *vcpu, uint64_t gpa, unsigned size, bool write, uint8_t *bytes)
{
	for (unsigned part; size; size -= part, gpa += part, bytes += part) {
		uint64_t value = 0;

		part = gpa & 7 ? (unsigned)(gpa & -gpa) : 8;
		while (part > size) part /= 2;
		if (write) memcpy(&value, bytes, part);
		access_physical(vcpu, gpa, part, write, &value);
		if (!write) memcpy(bytes, &value, part);
	}
}

/* Both pages are translated before either is touched. */
static int access_linear(struct vcpu *vcpu, uint64_t linear, unsigned size, enum guest_access access, bool system,
			 void *bytes)
{
	unsigned first = MIN(size, (unsigned)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	bool write = access == GUEST_WRITE;
	uint64_t gpa, gpa2 = 0;

	if (translate(vcpu, linear, access, system, &gpa) ||
	    (first < size && translate(vcpu, linear + first, access, system, &gpa2)))
		return -EFAULT;
	if (first == size && size <= 8 && !(size & (size - 1))) {
		access_physical(vcpu, gpa, size, write, bytes);
		return 0;
	}
	access_bytes(vcpu, gpa, first, write, bytes);
	access_bytes(vcpu, gpa2, size - first, write, (uint8_t *)bytes + first);
	return 0;
}

int guest_read(struct vcpu *vcpu, uint64_t linear, unsigned size, bool system, void *to)
{
	return access_linear(vcpu, linear, size, GUEST_READ, system, to);
}

int guest_write(struct vcpu *vcpu, uint64_t linear, unsigned size, bool system, const void *from)
{
	return access_linear(vcpu, linear, size, GUEST_WRITE, system, (void *)from);
}

int guest_probe_write(struct vcpu *vcpu, uint64_t linear, unsigned size, bool system)
{
	uint64_t last = linear + size - 1, gpa;
	int error = translate(vcpu, linear, GUEST_WRITE, system, &gpa);

	if (!error && (linear ^ last) & ~(PAGE_SIZE - 1))
		error = translate(vcpu, last & ~(PAGE_SIZE - 1), GUEST_WRITE, system, &gpa);
	return error;
}

int guest_mark(struct vcpu *vcpu, uint64_t linear, uint8_t flag, bool on)
{
	uint64_t mask = (uint64_t)flag << linear % sizeof(uint32_t) * 8, old = 0, value, gpa;
	int error;

	if (translate(vcpu, ALIGN_DOWN(linear, sizeof(uint32_t)), GUEST_WRITE, true, &gpa)) return -EFAULT;
	do {
		access_physical(vcpu, gpa, sizeof(uint32_t), false, &old);
		value = on ? old | mask : old & ~mask;
		error = guest_ram_compare_exchange(&vcpu->ram, gpa, sizeof(uint32_t), old, value);
	} while (error == -EAGAIN);
	if (error) access_physical(vcpu, gpa, sizeof(uint32_t), true, &value); /* a device's, or lost on ROM */
	return value == old;
}

int guest_fetch(struct vcpu *vcpu, unsigned mode, unsigned skip, uint8_t *bytes, unsigned size)
{
	uint64_t linear = vmread(VMCS_GUEST_RIP) + skip, gpa;
	unsigned first;
	int error;

	if (mode != 64) linear = (uint32_t)(linear + vmread(VMCS_GUEST_CS_BASE));
	first = MIN(size, (unsigned)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	if (translate_fetch(vcpu, linear, mode, &gpa)) return -EFAULT;
	if (first == INSN_MAX) /* a size the compiler knows: 9 ticks of 647 less */
		error = guest_ram_read(&vcpu->ram, gpa, bytes, INSN_MAX);
	else
		error = guest_ram_read(&vcpu->ram, gpa, bytes, first);
	return error ? 0 : (int)first;
}

int guest_load_pdptes(struct vcpu *vcpu)
{
	uint64_t pdpte[4];
	uint64_t reserved = ~BITS(guest_address_width() - 1, 12) & ~BITS(11, 9) & ~(PAGE_P | PAGE_PWT | PAGE_PCD);

	if (guest_ram_read_table(&vcpu->ram, vmread(VMCS_GUEST_CR3) & BITS(31, 5), pdpte, sizeof(pdpte)))
		memset(pdpte, 0xff, sizeof(pdpte)); /* what is no RAM reads as ones */
	for (unsigned i = 0; i < 4; i++)
		if (pdpte[i] & PAGE_P && pdpte[i] & reserved) return -EINVAL;
	for (unsigned i = 0; i < 4; i++) vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
	return 0;
}
