/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest_memory.h"

#include "hv/vm/cpu_model.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

static void *find_ram(void *ctx, uint64_t gpa, uint64_t size)
{
	return vm_ram(ctx, gpa, size);
}

/* The registers as the VMCS has them now: to read them is cheaper than to track their changes. */
static void read_paging(struct guest_paging *p, uint64_t cr0)
{
	p->cr0 = cr0;
	p->cr3 = vmread(VMCS_GUEST_CR3);
	p->cr4 = vmread(VMCS_GUEST_CR4);
	p->efer = vmread(VMCS_GUEST_IA32_EFER);
	p->rflags = vmread(VMCS_GUEST_RFLAGS);
	p->mode = vcpu_mode();
	p->cpl = vcpu_cpl();
	if (p->cr4 & CR4_PAE && !(p->efer & EFER_LMA))
		for (unsigned i = 0; i < 4; i++)
			p->pdpte[i] = vmread(VMCS_GUEST_PDPTE0 + 2 * i);
}

static int walk(struct vcpu *vcpu, uint64_t linear, enum guest_access access, uint64_t *gpa,
		uint32_t *error_code)
{
	const struct guest_paging *paging = &vcpu->paging;
	const struct guest_ram ram = {vcpu->vm, find_ram};

	return access == GUEST_FETCH
		       ? guest_walk_fetch(&vcpu->fetches, paging, &ram, linear, gpa, error_code)
		       : guest_walk(paging, &ram, linear, access, gpa, error_code);
}

int guest_translate(struct vcpu *vcpu, uint64_t linear, enum guest_access access, uint64_t *gpa)
{
	uint64_t cr0 = vmread(VMCS_GUEST_CR0);
	uint32_t error_code;

	if (!(cr0 & CR0_PG)) {
		*gpa = (uint32_t)linear;
		return 0;
	}
	read_paging(&vcpu->paging, cr0);
	switch (walk(vcpu, linear, access, gpa, &error_code)) {
	case 0:
		return 0;
	case -EFAULT:
		vcpu_inject_page_fault(vcpu, linear, error_code);
		break;
	case -EINVAL:
		vcpu_inject_gp(vcpu);
		break;
	case -ENOENT:
		vm_kill(vcpu->vm, "page walk at 0x%lx, which is not RAM", *gpa);
		break;
	}
	return -EFAULT;
}

static void access_physical(struct vm *vm, uint64_t gpa, unsigned width, bool write,
			    uint64_t *value)
{
	void *ram = vm_ram(vm, gpa, width);

	if (!ram)
		vm_mmio(vm, gpa, width, write, value);
	else if (write)
		memcpy(ram, value, width);
	else
		memcpy(value, ram, width);
}

/* Both pages are translated before either is touched. */
static int access_linear(struct vcpu *vcpu, uint64_t linear, unsigned width, bool write,
			 uint64_t *value)
{
	enum guest_access access = write ? GUEST_WRITE : GUEST_READ;
	unsigned first = MIN(width, (unsigned)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	uint64_t gpa, gpa2 = 0, low, high = 0;

	if (guest_translate(vcpu, linear, access, &gpa))
		return -EFAULT;
	if (first == width) {
		access_physical(vcpu->vm, gpa, width, write, value);
		return 0;
	}
	if (guest_translate(vcpu, linear + first, access, &gpa2))
		return -EFAULT;
	for (unsigned i = 0; i < width; i++) { /* byte by byte: it happens once in a blue moon */
		uint64_t at = i < first ? gpa + i : gpa2 + (i - first);

		low = write ? *value >> 8 * i & 0xff : 0;
		access_physical(vcpu->vm, at, 1, write, &low);
		high |= (low & 0xff) << 8 * i;
	}
	if (!write)
		*value = high;
	return 0;
}

int guest_read(struct vcpu *vcpu, uint64_t linear, unsigned width, uint64_t *value)
{
	*value = 0;
	return access_linear(vcpu, linear, width, false, value);
}

int guest_write(struct vcpu *vcpu, uint64_t linear, unsigned width, uint64_t value)
{
	return access_linear(vcpu, linear, width, true, &value);
}

int guest_probe_write(struct vcpu *vcpu, uint64_t linear, unsigned width)
{
	uint64_t last = linear + width - 1, gpa;
	int error = guest_translate(vcpu, linear, GUEST_WRITE, &gpa);

	if (!error && (linear ^ last) & ~(PAGE_SIZE - 1))
		error = guest_translate(vcpu, last & ~(PAGE_SIZE - 1), GUEST_WRITE, &gpa);
	return error;
}

int guest_fetch(struct vcpu *vcpu, unsigned mode, unsigned skip, uint8_t *bytes, unsigned size)
{
	uint64_t linear = vmread(VMCS_GUEST_RIP) + skip, gpa;
	unsigned first;
	const void *ram;

	if (mode != 64)
		linear = (uint32_t)(linear + vmread(VMCS_GUEST_CS_BASE));
	first = MIN(size, (unsigned)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	if (guest_translate(vcpu, linear, GUEST_FETCH, &gpa))
		return -EFAULT;
	ram = vm_ram(vcpu->vm, gpa, first);
	if (!ram)
		ram = vm_rom(vcpu->vm, gpa, first);
	if (!ram)
		return 0;
	if (__builtin_expect(first == INSN_MAX, 1)) /* a size the compiler knows: two moves */
		memcpy(bytes, ram, INSN_MAX);
	else
		memcpy(bytes, ram, first);
	return (int)first;
}

int guest_load_pdptes(struct vcpu *vcpu)
{
	const uint64_t *pdpte = vm_ram(vcpu->vm, vmread(VMCS_GUEST_CR3) & BITS(31, 5), 32);
	uint64_t reserved = ~BITS(guest_address_width() - 1, 12) & ~BITS(11, 9) &
			    ~(PAGE_P | PAGE_PWT | PAGE_PCD);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t entry = pdpte ? pdpte[i] : ~0ULL;

		if (entry & PAGE_P && entry & reserved)
			return -EINVAL;
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, entry);
	}
	return 0;
}
