/* SPDX-License-Identifier: MIT */
/*
 * Posts and takes the mail of vCPUs, and kicks their CPUs.
 */
#include "hv/vm/ipi.h"

#include "hv/dev/lapic_route.h"
#include "hv/vm/run.h"
#include "hv/vm/shootdown.h"

void vcpu_kick_remote(struct vcpu *vcpu)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the request before the look: cpu_begin_idle() */
	if (!__atomic_load_n(&vcpu->cpu->idle, __ATOMIC_ACQUIRE) && !shootdown_sees(vcpu)) return;
	__atomic_fetch_add(&vcpu->vm->counter[COUNTER_KICKS], 1, __ATOMIC_RELAXED);
	cpu_kick(vcpu->cpu);
}

static const uint8_t mail_flag[] = {[MODE_FIXED] = MAIL_FIXED, [MODE_LOWEST] = MAIL_FIXED,    [MODE_NMI] = MAIL_NMI,
				    [MODE_INIT] = MAIL_INIT,   [MODE_STARTUP] = MAIL_STARTUP, [MODE_EXTINT] = 0};

static void post(struct vcpu_mail *mail, uint64_t command, uint32_t flag)
{
	uint8_t vector = (uint8_t)FIELD(command, COMMAND_VECTOR);

	if (flag == MAIL_INIT) __atomic_fetch_and(&mail->flags, ~(uint32_t)(MAIL_STARTUP | MAIL_NMI), __ATOMIC_SEQ_CST);
	if (flag == MAIL_FIXED)
		__atomic_fetch_or(&mail->fixed[!!(command & COMMAND_LEVEL)][vector / 32], 1U << vector % 32,
				  __ATOMIC_RELAXED);
	else if (flag == MAIL_STARTUP && !(mail->flags & MAIL_STARTUP)) /* the first counts */
		__atomic_store_n(&mail->startup_page, vector, __ATOMIC_RELAXED);
	__atomic_fetch_or(&mail->flags, flag, __ATOMIC_SEQ_CST);
}

/* A vCPU of this CPU is not in its guest, so its local APIC is at hand; but what has mail gets this behind it. */
static void deliver_to(struct vcpu *vcpu, uint64_t command)
{
	uint32_t flag = mail_flag[FIELD(command, COMMAND_MODE)];

	if (!flag) return;
	if (vcpu->cpu == this_cpu() && flag <= MAIL_NMI && !vcpu->mail.flags && vcpu->activity != VCPU_WAITS)
		lapic_take(&vcpu->lapic, command);
	else
		post(&vcpu->mail, command, flag);
	__atomic_fetch_add(&vcpu->vm->wakes, 1, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu);
}

void ipi_deliver(struct vm *vm, uint32_t targets, uint64_t command)
{
	for (; targets; targets &= targets - 1) deliver_to(vm->vcpu[__builtin_ctz(targets)], command);
}

void ipi_send(void *ctx, uint64_t icr)
{
	struct vcpu *vcpu = ctx;

	ipi_deliver(vcpu->vm, lapic_route_ipi(&vcpu->vm->lapics, vcpu->id, icr), icr);
}

/* Hand each vector that was posted to the local APIC. */
static void take_fixed(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < 16; i++) {
		uint32_t word = __atomic_exchange_n(&vcpu->mail.fixed[i / 8][i % 8], 0, __ATOMIC_RELAXED);
		uint64_t command = i < 8 ? 0 : COMMAND_LEVEL;

		for (; word; word &= word - 1)
			lapic_take(&vcpu->lapic, command | (32 * (i % 8) + (unsigned)__builtin_ctz(word)));
	}
}

static void set_activity(struct vcpu *vcpu, enum vcpu_activity activity)
{
	__atomic_exchange_n(&vcpu->activity, activity, __ATOMIC_SEQ_CST);
}

/* SDM 3A 9.4.1: who has the BSP flag begins at the reset vector, and there is no firmware here. */
static void take_init(struct vcpu *vcpu)
{
	if (vcpu->apic_base & APIC_BASE_BSP) {
		vcpu_switch_to(vcpu); /* its place is told */
		vm_reset_by_cpu(vcpu->vm, "reset");
		return;
	}
	lapic_reset(&vcpu->lapic);
	vcpu->nmi_pending = vcpu->starts = false;
	vcpu->written_back = 0;
	set_activity(vcpu, VCPU_WAITS);
}

/*
 * What came before an INIT goes with it. A vCPU that waits has its local APIC off: it takes no more. But
 * for fixed interrupts a flag stays until what it asks is done (maybe twice), for ipi_none_is_left().
 */
void ipi_take_mail(struct vcpu *vcpu)
{
	uint32_t flags = __atomic_fetch_and(&vcpu->mail.flags, ~(uint32_t)MAIL_FIXED, __ATOMIC_ACQUIRE);

	if (flags & MAIL_FIXED) take_fixed(vcpu);
	do {
		if (flags & MAIL_INIT) take_init(vcpu);
		if (flags & MAIL_STARTUP && vcpu->activity == VCPU_WAITS) {
			vcpu->starts = true;
			vcpu->startup_page = vcpu->mail.startup_page;
			set_activity(vcpu, VCPU_ACTIVE);
		}
		if (flags & MAIL_NMI && vcpu->activity != VCPU_WAITS) vcpu->nmi_pending = true;
	} while (flags & ~(uint32_t)MAIL_FIXED &&
		 !__atomic_compare_exchange_n(&vcpu->mail.flags, &flags, flags & MAIL_FIXED, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	if (!ipi_none_is_left(vcpu->vm)) return;
	vcpu_switch_to(vcpu); /* its place is told */
	vm_kill(vcpu->vm, "halted with interrupts off");
}

/*
 * Each vCPU is read against the order in which its CPU wakes it: flags, NMI, activity. That one who was passed
 * already was woken by one who sleeps by now, the wakes tell.
 */
bool ipi_none_is_left(const struct vm *vm)
{
	uint32_t wakes = __atomic_load_n(&vm->wakes, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct vcpu *vcpu = vm->vcpu[i];

		if (__atomic_load_n(&vcpu->mail.flags, __ATOMIC_SEQ_CST) ||
		    __atomic_load_n(&vcpu->nmi_pending, __ATOMIC_SEQ_CST) ||
		    __atomic_load_n(&vcpu->activity, __ATOMIC_SEQ_CST) < VCPU_STOPPED)
			return false;
	}
	return __atomic_load_n(&vm->wakes, __ATOMIC_SEQ_CST) == wakes;
}
