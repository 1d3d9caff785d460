/* SPDX-License-Identifier: MIT */
/*
 * The host's local APIC by its registers (SDM 3A 11.4). Every CPU finds its own at one address.
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
	REG_ESR = 0x280,
	REG_ICR_LOW = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_THERMAL = 0x330,
	REG_LVT_PERFORMANCE = 0x340,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};
#define VERSION_REGISTER  0x030
#define VERSION_MAX_LVT   BITS(23, 16)
#define SVR_ENABLE        0x100U
#define LVT_MASKED        BIT(16)
#define LVT_PERIODIC      BIT(17)
#define LVT_EXTINT        (7U << 8)
#define ICR_NMI           (4U << 8)
#define ICR_INIT          (5U << 8)
#define ICR_STARTUP       (6U << 8)
#define ICR_ASSERT        BIT(14)
#define ICR_PENDING       BIT(12)
#define DIVIDE_BY_1       0xb
#define MEASURES_A_SECOND 1000

uint64_t apic_eoi_register; /* boot/interrupts.asm writes it */
static uint64_t base;
static uint64_t timer_hz, clock_hz; /* of the timer and of the TSC */

static uint32_t get(unsigned reg) { return *(volatile uint32_t *)(base + reg); }

static void set(unsigned reg, uint32_t value) { *(volatile uint32_t *)(base + reg) = value; }

bool apic_init(uint64_t address)
{
	uint64_t state = rdmsr(MSR_IA32_APIC_BASE);

	if (!(state & APIC_BASE_EN) || state & APIC_BASE_EXTD || (state & APIC_BASE_ADDRESS) != address) return false;
	base = address;
	apic_eoi_register = base + REG_EOI;
	return true;
}

void apic_init_cpu(bool takes_extint)
{
	unsigned last = (unsigned)FIELD(get(VERSION_REGISTER), VERSION_MAX_LVT);

	set(REG_SVR, SVR_ENABLE | APIC_VECTOR_SPURIOUS);
	set(REG_LVT_TIMER, LVT_MASKED);
	set(REG_LVT_LINT0, takes_extint ? LVT_EXTINT : LVT_MASKED);
	set(REG_LVT_LINT1, LVT_MASKED);
	set(REG_LVT_ERROR, LVT_MASKED);
	if (last >= 4) set(REG_LVT_PERFORMANCE, LVT_MASKED);
	if (last >= 5) set(REG_LVT_THERMAL, LVT_MASKED);
	set(REG_TIMER_DIVIDE, DIVIDE_BY_1);
}

uint32_t apic_id(void) { return get(REG_ID) >> 24; }

/* The one before must have left (SDM 3A 11.6.1, delivery status). */
static void send(uint32_t id, uint32_t command)
{
	while (get(REG_ICR_LOW) & ICR_PENDING) cpu_pause();
	set(REG_ICR_HIGH, id << 24);
	set(REG_ICR_LOW, command | ICR_ASSERT);
}

void apic_send_init(uint32_t id) { send(id, ICR_INIT); }

void apic_send_startup(uint32_t id, uint8_t page) { send(id, ICR_STARTUP | page); }

void apic_send_nmi(uint32_t id) { send(id, ICR_NMI); }

void apic_measure_timer(uint64_t tsc_hz)
{
	uint64_t end = rdtsc() + tsc_hz / MEASURES_A_SECOND;

	set(REG_TIMER_INITIAL, ~0U);
	while (rdtsc() < end) cpu_pause();
	timer_hz = (uint64_t)(~0U - get(REG_TIMER_CURRENT)) * MEASURES_A_SECOND;
	set(REG_TIMER_INITIAL, 0);
	clock_hz = tsc_hz;
}

void apic_set_timer(uint64_t tsc_ticks, bool periodic)
{
	uint64_t longest = clock_hz; /* a second: the product below has room */
	uint64_t count = MIN(tsc_ticks, longest) * timer_hz / clock_hz;

	if (!tsc_ticks) {
		set(REG_LVT_TIMER, LVT_MASKED);
		return;
	}
	set(REG_LVT_TIMER, APIC_VECTOR_TIMER | (periodic ? LVT_PERIODIC : 0));
	set(REG_TIMER_INITIAL, (uint32_t)MAX(MIN(count, ~0U), 1U));
}
