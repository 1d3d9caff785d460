/* SPDX-License-Identifier: MIT */
/*
 * The host's local APIC by its registers (SDM 3A 11.4, 11.12): in memory, where every CPU finds its
 * own at one address, or as MSRs.
 */
#include "hv/machine/apic.h"

#include "lib/apic.h"
#include "lib/asm.h"
#include "lib/x86.h"

static bool is_x2apic;
static uint64_t base;

static uint32_t get(unsigned reg)
{
	return is_x2apic ? (uint32_t)rdmsr(X2APIC_MSR(reg)) : *(volatile uint32_t *)(base + 16 * reg);
}

static void set(unsigned reg, uint64_t value)
{
	if (is_x2apic)
		wrmsr(X2APIC_MSR(reg), value);
	else
		*(volatile uint32_t *)(base + 16 * reg) = (uint32_t)value;
}

uint64_t apic_page(void) { return rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_ADDRESS; }

void apic_init(bool takes_extint)
{
	base = apic_page();
	if (takes_extint) is_x2apic = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD; /* one mode for all */
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EN | (is_x2apic ? APIC_BASE_EXTD : 0));
	set(LAPIC_SVR, LAPIC_SVR_ENABLE | APIC_VECTOR_SPURIOUS);
	for (unsigned reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg++)
		set(reg,
		    reg == LAPIC_LVT_LINT0 && takes_extint ? TO_FIELD(MODE_EXTINT, COMMAND_MODE) : LAPIC_LVT_MASKED);
	set(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
}

uint32_t apic_id(void) { return is_x2apic ? get(LAPIC_ID) : get(LAPIC_ID) >> 24; }

/*
 * The one before must have left (SDM 3A 11.6.1, delivery status); an MSR waits by itself. By pointers, for get() and
 * set() cost a shootdown 17 of its ticks.
 */
static void send(uint64_t id, unsigned mode, uint64_t rest)
{
	uint64_t command = TO_FIELD(mode, COMMAND_MODE) | COMMAND_ASSERT | rest;
	volatile uint32_t *low = (uint32_t *)(base + 16 * LAPIC_ICR_LOW), *high = low + 4; /* 16 bytes on */

	if (is_x2apic) {
		mfence_lfence();
		set(LAPIC_ICR_LOW, TO_FIELD(id, ICR_DESTINATION) | command);
		return;
	}
	while (*low & COMMAND_PENDING) cpu_pause();
	*high = (uint32_t)(id << 24);
	*low = (uint32_t)command;
}

void apic_send_init(uint32_t id) { send(id, MODE_INIT, 0); }

void apic_send_startup(uint32_t id, uint8_t page) { send(id, MODE_STARTUP, page); }

void apic_send_nmi(uint32_t id) { send(id, MODE_NMI, 0); }

void apic_send_nmi_others(void) { send(0, MODE_NMI, TO_FIELD(TO_OTHERS, ICR_SHORTHAND)); }

void apic_start_timer(uint32_t count, bool periodic)
{
	set(LAPIC_LVT_TIMER, APIC_VECTOR_TIMER | (periodic ? LAPIC_LVT_PERIODIC : 0));
	set(LAPIC_TIMER_INITIAL, count);
}

uint32_t apic_stop_timer(void)
{
	uint32_t left = get(LAPIC_TIMER_CURRENT);

	set(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	return left;
}

void apic_end_interrupt(void) { set(LAPIC_EOI, 0); }
