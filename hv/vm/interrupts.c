/* SPDX-License-Identifier: MIT */
/*
 * Connects the interrupt controllers with each other when a VM is made, and before each entry
 * decides what is injected and which window is asked for.
 */
#include "hv/vm/interrupts.h"

#include "hv/dev/ioapic.h"
#include "hv/dev/pic.h"
#include "hv/vm/events.h"
#include "hv/vm/run.h"
#include "hv/vm/ipi.h"

/* The PICs' output is wired to the CPU that booted: to LINT0, or past an APIC that is off (SDM 3A 11.4.3). */
static bool extint_pending(const struct vcpu *vcpu)
{
	return pic_pending(vcpu->vm->chips.pic) && !vcpu->id &&
	       (lapic_takes_extint(&vcpu->lapic) || !(vcpu->apic_base & APIC_BASE_EN));
}

#define NOTHING (-1)
#define EXTINT  256 /* no vector: the PIC is asked for it */

/*
 * The vector that the local APIC or the PIC has for the CPU; no timer is asked. Mostly nothing is
 * requested: a MOV to CR8 is some 8 ticks of 156 cheaper for not looking further.
 */
static int deliverable(const struct vcpu *vcpu)
{
	int vector = vcpu->lapic.irr_words ? lapic_pending(&vcpu->lapic) : NOTHING;

	return vector == NOTHING && extint_pending(vcpu) ? EXTINT : vector;
}

void interrupts_lapic_access(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write, uint64_t *value)
{
	uint64_t offset = gpa - vcpu->lapic_page;

	lapic_access(&vcpu->lapic, offset, width, write, value);
	if (write && lapic_is_timer((unsigned)offset >> 4)) vcpu_timer_armed(vcpu, interrupts_timer_ticks(vcpu));
}

static void eoi(void *ctx, uint8_t vector)
{
	struct vcpu *vcpu = ctx;

	vm_lock(vcpu->vm);
	ioapic_eoi(vcpu->vm->chips.ioapic, vector);
	vm_unlock(vcpu->vm);
}

static void nmi(void *ctx)
{
	struct vcpu *vcpu = ctx;

	vcpu->nmi_pending = true;
	vcpu_kick(vcpu);
}

uint64_t interrupts_now(void *ctx)
{
	(void)ctx;
	return rdtsc();
}

void interrupts_init_vcpu(struct vcpu *vcpu)
{
	const struct lapic_host host = {.ctx = vcpu, .eoi = eoi, .nmi = nmi, .ipi = ipi_send, .now = interrupts_now};
	struct lapic_set *all = &vcpu->vm->lapics;

	lapic_init(&vcpu->lapic, (uint8_t)vcpu->id, &host);
	if (vcpu->id) lapic_reset(&vcpu->lapic);
	all->lapic[all->count++] = &vcpu->lapic;
}

void interrupts_look(void *ctx)
{
	struct vm *vm = ctx;

	if (vm->vcpus) vcpu_kick(vm->vcpu[0]);
}

void interrupts_message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	struct vm *vm = ctx;

	if (vm->iommu)
		iommu_interrupt(vm->iommu, source_id, address, data);
	else if (is_interrupt_address(address))
		interrupts_deliver_message(vm, address, data);
}

void interrupts_deliver_message(void *ctx, uint64_t address, uint32_t data)
{
	struct vm *vm = ctx;

	ipi_deliver(vm, lapic_route_message(&vm->lapics, address, data), data);
}

/* The devices' timers are the first vCPU's affair. */
static void poll_devices(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t now = rdtsc();

	if (vcpu->id || vm->timers.due > now) return;
	vm_lock(vm);
	timers_poll(&vm->timers, now);
	vm_unlock(vm);
}

static int poll(struct vcpu *vcpu)
{
	poll_devices(vcpu);
	lapic_timer_poll(&vcpu->lapic);
	return deliverable(vcpu);
}

bool interrupts_pending(struct vcpu *vcpu)
{
	bool nmi = vcpu->nmi_pending && !(vcpu->activity != VCPU_ACTIVE && vcpu->halted_in_nmi);

	return poll(vcpu) != NOTHING || nmi;
}

/*
 * No other event waits, and neither the usual blocking nor 'more' is on (SDM 3C 27.3.1.5). A
 * pending #DB comes first (SDM 3A table 6-2), and an injection would make an end of it (SDM
 * 3C 27.7.3).
 */
static bool is_unblocked(const struct vcpu *vcpu, uint64_t more)
{
	vcpu_assert_current(vcpu);
	return !(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & (INTERRUPTIBILITY_SHADOW | more)) &&
	       !vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) &&
	       !(vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_INFO_VALID);
}

static bool can_inject(const struct vcpu *vcpu)
{
	return vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF && is_unblocked(vcpu, 0);
}

/* Ask for an exit when an interrupt or NMI can be delivered, by the control's bit; 0: neither. */
static void want_window(struct vcpu *vcpu, uint32_t window)
{
	if (vcpu->window == window) return;
	vcpu->window = window;
	vmwrite(VMCS_PRIMARY_CONTROLS, vmx.primary | window);
}

static void inject(struct vcpu *vcpu, uint64_t type, uint8_t vector)
{
	uint64_t info = vector | TO_FIELD(type, INTERRUPTION_INFO_TYPE);

	vcpu->written_back = 0; /* a WBINVD that this interrupts begins again: its handler may execute another */
	vcpu_assert_current(vcpu);
	vcpu_tell(vcpu, EVENT_INJECTION, (uint32_t)info, 0, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info | INTERRUPTION_INFO_VALID);
}

static void inject_interrupt(struct vcpu *vcpu, int vector)
{
	if (vector == EXTINT) {
		vm_lock(vcpu->vm);
		vector = pic_accept(vcpu->vm->chips.pic);
		vm_unlock(vcpu->vm);
	} else {
		lapic_accept(&vcpu->lapic, (uint8_t)vector);
	}
	inject(vcpu, INTERRUPTION_TYPE_EXTERNAL, (uint8_t)vector);
}

void interrupts_before_entry(struct vcpu *vcpu)
{
	int vector = poll(vcpu);

	/* An NMI needs no IF, and waits for the IRET of the one before (SDM 3A 6.7.1). */
	if (vcpu->nmi_pending && is_unblocked(vcpu, INTERRUPTIBILITY_NMI)) {
		vcpu->nmi_pending = false;
		inject(vcpu, INTERRUPTION_TYPE_NMI, VECTOR_NMI);
	} else if (vector != NOTHING && can_inject(vcpu)) {
		inject_interrupt(vcpu, vector);
		vector = deliverable(vcpu);
	}
	want_window(vcpu, (vcpu->nmi_pending ? PRIMARY_NMI_WINDOW_EXITING : 0) |
				  (vector != NOTHING ? PRIMARY_INTERRUPT_WINDOW_EXITING : 0));
}

void interrupts_before_step(struct vcpu *vcpu) { want_window(vcpu, vcpu->window | PRIMARY_NMI_WINDOW_EXITING); }

void interrupts_lapic_written(struct vcpu *vcpu)
{
	int vector = deliverable(vcpu);

	if (vector == NOTHING || vcpu_is_kicked(vcpu)) return;
	if (can_inject(vcpu))
		inject_interrupt(vcpu, vector);
	else
		want_window(vcpu, vcpu->window | PRIMARY_INTERRUPT_WINDOW_EXITING);
}

uint64_t interrupts_timer_ticks(const struct vcpu *vcpu)
{
	uint64_t now = rdtsc(), due = vcpu->id ? ~0UL : vcpu->vm->timers.due;
	uint64_t devices = due > now ? due - now : 0, ticks;

	return lapic_timer_due(&vcpu->lapic, &ticks) ? MIN(ticks, devices) : devices;
}

void interrupts_set_apic_base(struct vcpu *vcpu, uint64_t value)
{
	if (value & APIC_BASE_EN) {
		__atomic_fetch_and(&vcpu->vm->lapics.off, ~vcpu_bit(vcpu), __ATOMIC_RELAXED);
	} else {
		__atomic_fetch_or(&vcpu->vm->lapics.off, vcpu_bit(vcpu), __ATOMIC_RELAXED);
		lapic_reset(&vcpu->lapic);
	}
	if ((value ^ vcpu->apic_base) & APIC_BASE_EXTD) lapic_set_x2apic(&vcpu->lapic, value & APIC_BASE_EXTD);
	vcpu->apic_base = value;
	vcpu->lapic_page = (value & (APIC_BASE_EN | APIC_BASE_EXTD)) == APIC_BASE_EN ? value & APIC_BASE_ADDRESS : ~0UL;
	vcpu->mmio_apart = vcpu->vm->is_shared ? 0 : vcpu->lapic_page;
}
