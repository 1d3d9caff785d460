/* SPDX-License-Identifier: MIT */
/*
 * The host's local APIC by its registers (SDM 3A 11.4, 11.12): in memory, where every CPU finds its
 * own at one address, or as MSRs.
 */
#include "hv/machine/apic.h"

#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/x86.h"

/* Register offsets (SDM 3A table 11-1). */
enum {
	REG_ID = 0x020,
	REG_EOI = 0x0b0,
	REG_SVR = 0x0f0,
	REG_ICR_LOW = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320, /* the others up to that for errors, without gaps */
	REG_LVT_LINT0 = 0x350,
	REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};
#define MSR_X2APIC   0x800 /* + offset / 16 */
#define SVR_ENABLE   0x100U
#define LVT_MASKED   BIT(16)
#define LVT_PERIODIC BIT(17)
#define LVT_EXTINT   (7U << 8)
#define ICR_NMI      (4U << 8)
#define ICR_INIT     (5U << 8)
#define ICR_STARTUP  (6U << 8)
#define ICR_ASSERT   BIT(14)
#define ICR_OTHERS   (3U << 18) /* all but self */
#define ICR_PENDING  BIT(12)
#define DIVIDE_BY_1  0xb

static bool is_x2apic;
static uint64_t base;

static uint32_t get(unsigned reg)
{
	return is_x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : *(volatile uint32_t *)(base + reg);
}

static void set(unsigned reg, uint32_t value)
{
	if (is_x2apic)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		*(volatile uint32_t *)(base + reg) = value;
}

uint64_t apic_page(void) { return rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_ADDRESS; }

void apic_init(bool takes_extint)
{
	base = apic_page();
	is_x2apic = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD;
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EN);
	set(REG_SVR, SVR_ENABLE | APIC_VECTOR_SPURIOUS);
	for (unsigned reg = REG_LVT_TIMER; reg <= REG_LVT_ERROR; reg += 16)
		set(reg, reg == REG_LVT_LINT0 && takes_extint ? LVT_EXTINT : LVT_MASKED);
	set(REG_TIMER_DIVIDE, DIVIDE_BY_1);
}

uint32_t apic_id(void) { return is_x2apic ? get(REG_ID) : get(REG_ID) >> 24; }

/* The one before must have left (SDM 3A 11.6.1, delivery status); an MSR waits by itself. */
static void send(uint32_t id, uint32_t command)
{
	if (is_x2apic) {
		wrmsr(MSR_X2APIC + REG_ICR_LOW / 16, (uint64_t)id << 32 | command | ICR_ASSERT);
		return;
	}
	while (get(REG_ICR_LOW) & ICR_PENDING) cpu_pause();
	set(REG_ICR_HIGH, id << 24);
	set(REG_ICR_LOW, command | ICR_ASSERT);
}

void apic_send_init(uint32_t id) { send(id, ICR_INIT); }

void apic_send_startup(uint32_t id, uint8_t page) { send(id, ICR_STARTUP | page); }

void apic_send_nmi(uint32_t id) { send(id, ICR_NMI); }

void apic_send_nmi_others(void) { send(0, ICR_NMI | ICR_OTHERS); }

void apic_start_timer(uint32_t count, bool periodic)
{
	set(REG_LVT_TIMER, APIC_VECTOR_TIMER | (periodic ? LVT_PERIODIC : 0));
	set(REG_TIMER_INITIAL, count);
}

uint32_t apic_stop_timer(void)
{
	uint32_t left = get(REG_TIMER_CURRENT);

	set(REG_LVT_TIMER, LVT_MASKED);
	return left;
}

void apic_end_interrupt(void) { set(REG_EOI, 0); }
