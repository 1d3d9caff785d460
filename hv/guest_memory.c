/* SPDX-License-Identifier: MIT */
#include "hv/guest_memory.h"

#include "hv/cpuid.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

#define PDE_PSE36_HIGH BITS(20, 13) /* physical 39:32 of a 4M page (SDM 3A table 4-4) */

/* The paging mode's shape: how many levels, how wide an index, how wide an entry. */
struct paging {
	uint64_t table;
	unsigned level; /* of that table: 2, 3 or 4 */
	unsigned index_bits;
	unsigned entry_size;
	bool execute_disable, write_protect, user, pse;
};

static struct paging current_paging(uint64_t cr0)
{
	uint64_t cr4 = vmread(VMCS_GUEST_CR4), efer = vmread(VMCS_GUEST_IA32_EFER);
	uint64_t cr3 = vmread(VMCS_GUEST_CR3);
	struct paging p = {
		.execute_disable = efer & EFER_NXE,
		.write_protect = cr0 & CR0_WP,
		.user = vcpu_cpl() == 3,
		.pse = true,
	};

	if (efer & EFER_LMA || cr4 & CR4_PAE) {
		p.table = cr3 & (efer & EFER_LMA ? PAGE_ADDRESS : BITS(31, 5));
		p.level = efer & EFER_LMA ? 4 : 3;
		p.index_bits = 9;
		p.entry_size = 8;
	} else {
		p.table = cr3 & BITS(31, 12);
		p.level = 2;
		p.index_bits = 10;
		p.entry_size = 4;
		p.pse = cr4 & CR4_PSE;
	}
	return p;
}

static uint64_t leaf_address(const struct paging *p, uint64_t entry, uint64_t linear,
			     unsigned shift)
{
	uint64_t offset = linear & (BIT(shift) - 1);
	uint64_t address = entry & PAGE_ADDRESS & ~(BIT(shift) - 1);

	if (p->entry_size == 4) {
		address = entry & BITS(31, 0) & ~(BIT(shift) - 1);
		if (shift == 22)
			address |= FIELD(entry, PDE_PSE36_HIGH) << 32;
	}
	return address | offset;
}

/* Rights gathered on the way down: SDM 3A 4.6.1. */
static bool permitted(const struct paging *p, uint64_t rights, bool no_execute,
		      enum guest_access access)
{
	if (p->user && !(rights & PAGE_US))
		return false;
	if (access == GUEST_WRITE && !(rights & PAGE_RW) && (p->user || p->write_protect))
		return false;
	return !(access == GUEST_FETCH && no_execute);
}

/*
 * Walk; the result is a page-fault error code's P bit in *present. Accessed and dirty flags are
 * set as the CPU sets them: the leaf's, and A on the way.
 */
static int walk(struct vcpu *vcpu, struct paging *p, uint64_t linear, enum guest_access access,
		uint64_t *gpa, bool *present)
{
	uint64_t rights = PAGE_RW | PAGE_US;
	bool no_execute = false;

	for (unsigned level = p->level; level; level--) {
		unsigned shift = 12 + p->index_bits * (level - 1);
		uint64_t index = linear >> shift & (BIT(p->index_bits) - 1);
		bool pdpte = p->level == 3 && level == 3; /* of PAE paging: no rights, no A */
		uint8_t *at;
		uint64_t entry = 0;

		if (pdpte)
			index &= 3;
		at = vm_ram(vcpu->vm, p->table + index * p->entry_size, p->entry_size);
		*present = false;
		if (!at)
			return -EFAULT;
		memcpy(&entry, at, p->entry_size);
		if (!(entry & PAGE_P))
			return -EFAULT;
		if (!pdpte) {
			rights &= entry;
			no_execute |= p->execute_disable && entry & PAGE_NX;
		}
		if (level == 1 || (entry & PAGE_PS && !pdpte && level < 4 && p->pse)) {
			*present = true;
			if (!permitted(p, rights, no_execute, access))
				return -EFAULT;
			*at |= PAGE_A | (access == GUEST_WRITE ? PAGE_D : 0);
			*gpa = leaf_address(p, entry, linear, shift);
			return 0;
		}
		if (!pdpte)
			*at |= PAGE_A;
		p->table = entry & (p->entry_size == 4 ? BITS(31, 12) : PAGE_ADDRESS);
	}
	return -EFAULT;
}

int guest_translate(struct vcpu *vcpu, uint64_t linear, enum guest_access access, uint64_t *gpa)
{
	uint64_t cr0 = vmread(VMCS_GUEST_CR0);
	struct paging p;
	bool present;

	if (!(cr0 & CR0_PG)) {
		*gpa = (uint32_t)linear;
		return 0;
	}
	p = current_paging(cr0);
	if (!walk(vcpu, &p, linear, access, gpa, &present))
		return 0;
	vcpu_inject_page_fault(vcpu, linear,
			       (uint32_t)((present ? PF_ERROR_PRESENT : 0) |
					  (access == GUEST_WRITE ? PF_ERROR_WRITE : 0) |
					  (p.user ? PF_ERROR_USER : 0) |
					  (access == GUEST_FETCH && p.execute_disable
						   ? PF_ERROR_FETCH
						   : 0)));
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

int guest_fetch(struct vcpu *vcpu, unsigned skip, uint8_t *bytes, unsigned size)
{
	uint64_t linear = vmread(VMCS_GUEST_RIP) + skip, gpa;
	unsigned first;
	const void *ram;

	if (vcpu_mode() != 64)
		linear = (uint32_t)(linear + vmread(VMCS_GUEST_CS_BASE));
	first = MIN(size, (unsigned)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	if (guest_translate(vcpu, linear, GUEST_FETCH, &gpa))
		return -EFAULT;
	ram = vm_ram(vcpu->vm, gpa, first);
	if (!ram)
		return 0;
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
