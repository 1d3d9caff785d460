/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine: memory slots, devices, its virtual CPUs, and how it ended. create.c makes one
 * from a GRUB line, run.c runs it, the room hv/exits/ serves it.
 */
#pragma once

#include "boot/multiboot2.h"
#include "ept/ept.h"
#include "hv/machine/console.h"
#include "hv/dev/board.h"
#include "hv/dev/firmware.h"
#include "hv/events/event.h"
#include "hv/dev/lapic_route.h"
#include "hv/machine/pool.h"
#include "hv/options/options.h"
#include "hv/vm/vcpu.h"
#include "iommu/iommu.h"
#include "lib/contract.h"
#include "hv/machine/gate.h"

#define VMS_MAX 16

enum vm_state { VM_RUNNING, VM_EXITED, VM_KILLED, VM_RESET /* it starts again */ };

#define VM_KILLED_TEXT 160

/* What the console has shown of a VM's events, and still wants to (hv/vm/events.c). */
struct events_shown {
	unsigned lines;        /* of devices, counts and transitions */
	unsigned faults;       /* of the IOMMU, shown or not */
	uint32_t first_leaves; /* bit n: show the next leaf of type n */
};

struct vm {
	/* What it is made of, and stays so when it starts again. */
	struct vm_options options;
	const struct boot_module *image, *initrd; /* the second may be NULL */
	uint8_t index;                            /* in the order of GRUB's lines */

	struct vcpu *vcpu[VM_CPUS_MAX]; /* [0] is the one that boots; from here on a start begins with zeroes */
	unsigned vcpus;
	bool is_shared;       /* by several CPUs: a vCPU is not on the one that booted */
	struct lock lock;     /* LOCK_VM: buses, devices, IOMMU, and how it ends */
	struct lock ept_lock; /* LOCK_EPT */
	struct gate ept_gate; /* through which leaves are installed without it */
	struct lock instruction_lock;
	uint64_t generation; /* of its EPT's flushes, and */
	uint32_t in_guest;   /* the vCPUs in their guest, or on the way there or back, a bit each, and */
	bool stopped;        /* they stay out of it: hv/vm/shootdown.c; */
	struct vcpu *alone;  /* or all but this one do, where not NULL */
	uint32_t touched_by; /* CPUs, by index, that have been at its memory since the last vm_write_back() */
	uint32_t wakes;      /* IPIs and messages delivered: see ipi_none_is_left() */
	uint32_t everywhere; /* in_guest when each CPU of the machine is in it; 0: there are more CPUs or fewer */
	enum vm_state state;
	uint32_t status;             /* of VM_EXITED */
	char killed[VM_KILLED_TEXT]; /* of VM_KILLED: why */

	uint64_t ram;                       /* host-physical address of guest-physical 0 */
	uint64_t low_ram_end, high_ram_end; /* guest-physical; the second 0: there is none */
	uint64_t flat_end;                  /* the same, if devices may take vm->ram for what it holds; else 0 */
	uint64_t device_space;              /* bytes from there to 4 GiB: no RAM and no ROM */
	/* With coherence=model: the second copy of RAM, and a byte for each page; 0 without. */
	uint64_t cache, page_flags;
	struct ept ept;
	uint64_t ept_pointer;
	struct pool tables;         /* for the EPT: the most it can need */
	uint64_t counter[COUNTERS]; /* those that events count */
	struct events_shown shown;
	struct event_ring events;

	struct bus ports, mmio;
	struct chipset chips;
	struct timers timers;      /* of the devices */
	struct iommu *iommu;       /* NULL with iommu=off */
	struct vcpu *iommu_writer; /* the last vCPU that wrote one of its registers */
	/* The last change of the noncoherent count; what was before it, and how far its rest is done. */
	struct vm_change {
		uint64_t start, invepts, retyped, tables, done;
		const struct ept_cpu *cause; /* whose write it was */
		unsigned count;
		bool transition, goes_on;
	} change;
	uint64_t devices;      /* all of them in one piece of memory: hv/vm/devices.c */
	uint64_t devices_size; /* bytes */
	struct lapic_set lapics;
	struct console_line line, debug_line; /* of its UART, and of port 0xe9 */
	uint64_t chosen;                      /* what VMCALL_VERSION tells in RCX */
	bool waits_for_console;               /* it wrote more than its share: no vCPU runs until that is sent */
	uint64_t last_turn;                   /* TSC at the end of its last turn */
	uint8_t rom_copy[MiB - FIRMWARE_ROM] __attribute__((aligned(PAGE_SIZE))); /* hv/vm/step.c */
};

/* All there are, by their indices; hv/main.c makes them. */
extern struct vm *vms[VMS_MAX];
extern unsigned vm_count;

/*
 * Make the VM of a GRUB line and load its image; initrd may be NULL. NULL after one line that says
 * what is wrong: then nothing is taken.
 */
struct vm *vm_create(const struct vm_options *options, const struct boot_module *image,
		     const struct boot_module *initrd);

/* A VM that is VM_RESET starts again as it was created, its image loaded anew. */
void vm_restart(struct vm *vm);

/*
 * The guest asked for a reset: its options say whether it ends or starts again. The VM's lock is
 * held.
 */
void vm_reset(struct vm *vm);
/* The same where a vCPU caused the reset; 'why' ("triple fault") is told. Takes the lock. */
void vm_reset_by_cpu(struct vm *vm, const char *why);

/*
 * Give back the memory, tables, devices and VMCSs of a VM that runs no more. May be called again.
 * What is left says how it ended and how often it exited.
 */
void vm_release(struct vm *vm);
/* Give back everything, the VM itself included. */
void vm_destroy(struct vm *vm);

/* End the VM with the contract's line; a VM ends once. vm_exit() is called with the lock held, vm_kill() takes it. */
void vm_exit(struct vm *vm, uint32_t status);
void vm_kill(struct vm *vm, const char *reason, ...) __attribute__((format(printf, 2, 3)));

/* The guest wrote more than its share of the console: it waits until that is sent. The lock is held. */
void vm_wait_for_console(struct vm *vm);

/*
 * Guest-physical memory as devices reach it: any number of bytes, all RAM. ctx is the VM. 0, or -EFAULT when any
 * byte is not: then the pages before it were accessed. around_cache: as iommu_host.read() has it.
 */
int vm_ram_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache);
int vm_ram_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache);

/* How a vCPU of the VM reaches RAM: fills vcpu->ram. */
void vm_set_guest_ram(struct vm *vm, struct vcpu *vcpu);

/*
 * Is the address where no RAM and no ROM can be: from the end of low RAM to 4 GiB? To ask that first saves an
 * MMIO access 63 of 792 ticks, and costs a first touch 4 of 332.
 */
static inline bool vm_is_device_address(const struct vm *vm, uint64_t gpa)
{
	return gpa - vm->low_ram_end < vm->device_space;
}

/* The lock of what all its vCPUs use. A VM whose vCPUs are all on the CPU that booted does not take it. */
static inline void vm_lock(struct vm *vm)
{
	if (vm->is_shared) lock(&vm->lock, LOCK_VM);
}

/* This CPU has been at the VM's memory: its caches may hold some of that, for vm_write_back(). */
static inline void vm_touched(struct vm *vm)
{
	__atomic_fetch_or(&vm->touched_by, 1U << this_cpu()->index, __ATOMIC_RELEASE);
}

static inline void vm_unlock(struct vm *vm)
{
	if (vm->is_shared) unlock(&vm->lock, LOCK_VM);
}

/* An access to a bus of the VM. Inline: a call costs a port exit 10 of its 245 ticks. */
bool vm_bus_shared(struct vm *vm, struct bus *bus, uint64_t address, unsigned width, bool write, uint64_t *value);
static inline bool vm_bus(struct vm *vm, struct bus *bus, uint64_t address, unsigned width, bool write, uint64_t *value)
{
	return vm->is_shared ? vm_bus_shared(vm, bus, address, width, write, value)
			     : bus_do(bus, address, width, write, value);
}

/*
 * A guest-physical access by the current vCPU to what is no RAM: the MMIO bus, and ROM, where
 * writes are dropped.
 */
void vm_mmio(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write, uint64_t *value);

/* hv/vm/noncoherent.c: a device's attachment or coherence changed. */
void vm_device_changed(void *ctx, const struct iommu_event *event);
/* iommu_host.unfinished: the write-back of a transition, where memory is modelled. */
bool vm_change_unfinished(void *ctx);
/* Does such a rest keep all vCPUs out of the guest? vm_go_on() does a part of it then. */
void vm_go_on(struct vm *vm);
static inline bool vm_rest_stops(const struct vm *vm) { return vm->change.goes_on && vm->stopped; }
/* iommu_host.stale_used of a VM (hv/vm/events.c): one line for it. */
void vm_stale_used(void *ctx, const struct iommu_stale *stale);
