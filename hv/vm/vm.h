/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine and its one virtual CPU: memory slots, devices, and how it ended. Made by
 * hv/vm/vm.c from a GRUB line, run by hv/vm/vcpu.c, served by hv/exits/.
 */
#ifndef HV_VM_VM_H
#define HV_VM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/multiboot2.h"
#include "ept/ept.h"
#include "hv/machine/console.h"
#include "hv/dev/acpi_pm.h"
#include "hv/dev/bus.h"
#include "hv/dev/edu.h"
#include "hv/dev/exit_port.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/lapic.h"
#include "hv/dev/pci.h"
#include "hv/dev/pic.h"
#include "hv/dev/reset.h"
#include "hv/dev/uart.h"
#include "hv/emulate/guest_walk.h"
#include "hv/emulate/insn.h"
#include "hv/options/options.h"
#include "hv/vmcs/vmcs.h"
#include "iommu/iommu.h"
#include "iommu/state.h"
#include "lib/bits.h"

#define VMS_MAX 16

struct vm;

struct vcpu {
	/*
	 * First, and in this order: hv/vmx/enter.asm pushes the registers here on an exit. The slot
	 * of RSP is unused: the VMCS holds that.
	 */
	uint64_t gpr[16];
	uint64_t host_rsp; /* hv/vmx/enter.asm's own stack while the guest runs */

	struct vm *vm;
	uint64_t vmcs; /* physical address of the VMCS region */
	uint16_t vpid; /* unique, not 0 */
	bool launched;
	unsigned slice;     /* exits left before others get the CPU; 1 ends it with this exit */
	uint64_t slice_end; /* TSC: the work done for it in exits may not go on beyond */

	struct mtrr mtrr;
	bool cd; /* guest CR0.CD, as its read shadow has it */
	uint64_t apic_base;
	struct lapic lapic;
	uint64_t timer_ticks; /* what the preemption timer is set to */
	uint32_t window;      /* interrupt- or NMI-window exiting, while it is on */
	bool nmi_pending;
	struct insn_cache insns; /* of recent accesses to devices */
	struct guest_walk_cache fetches;
	struct guest_paging paging; /* of the last walk; what never changes is set once */

	/* State the VMCS does not hold, swapped when another vCPU gets the CPU: hv/vm/vcpu.c. */
	uint64_t swapped_msr[6];
	uint64_t cr2;
	uint64_t xcr0;
	uint64_t debug_register[6]; /* DR0-DR3, DR6 */
	uint8_t *fpu;               /* XSAVE area, 64-byte aligned */
};

enum vm_state { VM_RUNNING, VM_EXITED, VM_KILLED };

/* VMCALL COUNTER indices that are not struct ept_stats. */
struct vm_counters {
	uint64_t invepts;
	uint64_t ept_violations;
	uint64_t ept_misconfigurations;
	uint64_t transition_ticks; /* of the last one */
};

struct vm {
	struct vcpu vcpu;
	struct vm_options options;
	enum vm_state state;
	uint32_t status; /* of VM_EXITED */

	uint64_t ram;                       /* host-physical address of guest-physical 0 */
	uint64_t low_ram_end, high_ram_end; /* guest-physical; high is 0 or above 4 GiB */
	struct ept ept;
	uint64_t ept_pointer;
	struct vm_counters counters;
	uint64_t exit_count[EXIT_REASONS]; /* by basic exit reason */
	unsigned lines_shown;              /* of device events */
	uint32_t show_faults;              /* bit n: show the next leaf of type n on the console */
	bool halted;

	struct bus ports, mmio;
	struct uart uart;
	struct exit_port exit_port;
	struct reset reset;
	struct pci pci;
	struct edu edu[VM_DEVICES_MAX];
	struct iommu iommu; /* unused with iommu=off */
	struct pic pic;
	struct ioapic ioapic;
	struct irq irq;
	struct acpi_pm acpi_pm;
	int lapic_region; /* on the MMIO bus */
	struct console_line line;
};

/*
 * Make the VM of a GRUB line and load its image. NULL after one line that says what is wrong.
 * index: 0 for the first VM. initrd may be NULL.
 */
struct vm *vm_create(unsigned index, const struct vm_options *options,
		     const struct boot_module *image, const struct boot_module *initrd);

/* End the VM with the contract's line; a VM ends once. */
void vm_exit(struct vm *vm, uint32_t status);
void vm_kill(struct vm *vm, const char *reason, ...) __attribute__((format(printf, 2, 3)));

/*
 * The host address of guest RAM [gpa, gpa + size), all in one slot; NULL when any byte of it is
 * not RAM.
 */
void *vm_ram_slot(const struct vm *vm, uint64_t gpa, uint64_t size);
static inline void *vm_ram(const struct vm *vm, uint64_t gpa, uint64_t size)
{
	/* Nearly always it is the large slot above 1 MiB. */
	if (gpa >= MiB && gpa < vm->low_ram_end && size <= vm->low_ram_end - gpa)
		return (void *)(vm->ram + gpa);
	return vm_ram_slot(vm, gpa, size);
}

/* The same for ROM, which is only read. */
const void *vm_rom(const struct vm *vm, uint64_t gpa, uint64_t size);

/*
 * A guest-physical access by the CPU to what is no RAM: the MMIO bus, and ROM, where writes are
 * dropped.
 */
void vm_mmio(struct vm *vm, uint64_t gpa, unsigned width, bool write, uint64_t *value);

/* hv/vm/noncoherent.c: a device's attachment or coherence changed. */
void vm_device_changed(void *ctx, const struct iommu_event *event);

#endif
