/* SPDX-License-Identifier: MIT */
#include "hv/vm/interrupts.h"

#include "hv/vm/vcpu.h"
#include "lib/asm.h"
#include "lib/bits.h"

#define COM1_LINE 4

/* What an injection depends on has changed: end the slice, the next one begins with a look. */
static void attention(struct vm *vm)
{
	vm->vcpu.slice = 1;
}

static void lapic_mmio(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct vm *vm = device;

	lapic_access(&vm->vcpu.lapic, offset, width, write, value);
	if (write)
		attention(vm);
}

static void eoi(void *ctx, uint8_t vector)
{
	struct vm *vm = ctx;

	ioapic_eoi(&vm->ioapic, vector);
}

static void nmi(void *ctx)
{
	struct vm *vm = ctx;

	vm->vcpu.nmi_pending = true;
	attention(vm);
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return rdtsc();
}

static void ioapic_message(void *ctx, uint64_t address, uint32_t data)
{
	interrupts_message(ctx, IOMMU_IOAPIC_SOURCE_ID, address, data);
}

static void pic_raised(void *ctx)
{
	attention(ctx);
}

static void uart_irq(void *ctx, bool level)
{
	struct vm *vm = ctx;

	irq_isa(&vm->irq, COM1_LINE, level);
}

int interrupts_init(struct vm *vm)
{
	const struct lapic_host host = {.ctx = vm, .eoi = eoi, .nmi = nmi, .now = now};
	int error = pic_init(&vm->pic, &vm->ports);

	if (!error)
		error = ioapic_init(&vm->ioapic, IOAPIC_ID, &vm->mmio, ioapic_message, vm);
	if (error)
		return error;
	vm->pic.raised = pic_raised;
	vm->pic.ctx = vm;
	irq_init(&vm->irq, &vm->pic, &vm->ioapic);
	vm->uart.irq = uart_irq;
	lapic_init(&vm->vcpu.lapic, 0, &host);
	vm->lapic_region = bus_add(&vm->mmio, LAPIC_BASE, LAPIC_SIZE, lapic_mmio, vm, "local APIC");
	return vm->lapic_region < 0 ? vm->lapic_region : 0;
}

void interrupts_message(struct vm *vm, uint16_t source_id, uint64_t address, uint32_t data)
{
	if (vm->options.iommu)
		iommu_interrupt(&vm->iommu, source_id, address, data);
	else
		interrupts_deliver_message(vm, address, data);
}

void interrupts_deliver_message(void *ctx, uint64_t address, uint32_t data)
{
	struct vm *vm = ctx;

	if (!interrupts_is_message(address))
		return;
	lapic_message(&vm->vcpu.lapic, address, data);
	attention(vm);
}

static bool extint_pending(struct vcpu *vcpu)
{
	return pic_pending(&vcpu->vm->pic) && lapic_takes_extint(&vcpu->lapic);
}

bool interrupts_pending(struct vcpu *vcpu)
{
	lapic_timer_poll(&vcpu->lapic);
	return vcpu->nmi_pending || lapic_pending(&vcpu->lapic) >= 0 || extint_pending(vcpu);
}

/* No other event waits, and neither the usual blocking nor 'more' is on (SDM 3C 27.3.1.5). */
static bool is_unblocked(uint64_t more)
{
	uint64_t blocking = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS | more;

	return !(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & blocking) &&
	       !(vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_INFO_VALID);
}

static bool can_inject(void)
{
	return vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF && is_unblocked(0);
}

/* Ask for an exit when an interrupt or NMI can be delivered, by the control's bit; 0: neither. */
static void want_window(struct vcpu *vcpu, uint32_t window)
{
	if (vcpu->window == window)
		return;
	vcpu->window = window;
	vmwrite(VMCS_PRIMARY_CONTROLS, vmx.primary | window);
}

static void inject(uint64_t type, uint8_t vector)
{
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		vector | TO_FIELD(type, INTERRUPTION_INFO_TYPE) | INTERRUPTION_INFO_VALID);
}

/* An NMI needs no IF, and waits for the IRET of the one before (SDM 3A 6.7.1). */
static bool can_inject_nmi(void)
{
	return is_unblocked(INTERRUPTIBILITY_NMI);
}

static void inject_interrupt(struct vcpu *vcpu)
{
	int vector = lapic_pending(&vcpu->lapic);

	if (vector >= 0)
		lapic_accept(&vcpu->lapic, (uint8_t)vector);
	else
		vector = pic_accept(&vcpu->vm->pic);
	inject(INTERRUPTION_TYPE_EXTERNAL, (uint8_t)vector);
}

void interrupts_before_entry(struct vcpu *vcpu)
{
	if (vcpu->nmi_pending && can_inject_nmi()) {
		vcpu->nmi_pending = false;
		inject(INTERRUPTION_TYPE_NMI, VECTOR_NMI);
	} else if (!vcpu->nmi_pending && interrupts_pending(vcpu) && can_inject()) {
		inject_interrupt(vcpu);
	}
	if (vcpu->nmi_pending)
		want_window(vcpu, PRIMARY_NMI_WINDOW_EXITING);
	else
		want_window(vcpu, interrupts_pending(vcpu) ? PRIMARY_INTERRUPT_WINDOW_EXITING : 0);
}

uint64_t interrupts_timer_ticks(const struct vcpu *vcpu)
{
	uint64_t ticks;

	return lapic_timer_due(&vcpu->lapic, &ticks) ? ticks : ~0UL;
}

void interrupts_set_apic_base(struct vcpu *vcpu, uint64_t value)
{
	vcpu->apic_base = value;
	bus_move(&vcpu->vm->mmio, vcpu->vm->lapic_region, value & APIC_BASE_ADDRESS,
		 value & APIC_BASE_EN ? LAPIC_SIZE : 0);
}
