/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: registers, acceptance and delivery of interrupts. Called by the MMIO bus for its
 * page, by the IOMMU for messages, and by the vCPU loop; it never enters a guest and keeps no
 * time of its own.
 */
#include "hv/dev/lapic.h"

#include "hv/dev/lapic_command.h"
#include "lib/bits.h"

/* Register offsets (SDM 3A table 11-1). */
#define REG_ID            0x020
#define REG_VERSION       0x030
#define REG_TPR           0x080
#define REG_APR           0x090
#define REG_PPR           0x0a0
#define REG_EOI           0x0b0
#define REG_LDR           0x0d0
#define REG_DFR           0x0e0
#define REG_SVR           0x0f0
#define REG_ISR           0x100
#define REG_TMR           0x180
#define REG_IRR           0x200
#define REG_ESR           0x280
#define REG_ICR_LOW       0x300
#define REG_ICR_HIGH      0x310
#define REG_LVT           0x320
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE  0x3e0

#define VERSION      (0x14 | (LAPIC_LVTS - 1) << 16)
#define SVR_ENABLED  BIT(8)
#define SVR_WRITABLE 0x3ff
#define LVT_MASKED   BIT(16)
#define LVT_TIMING   BITS(18, 17)
#define LVT_MODE     BITS(10, 8)

/* Errors (SDM 3A 11.5.3). */
#define ERROR_SENT_VECTOR     BIT(5)
#define ERROR_RECEIVED_VECTOR BIT(6)
#define ERROR_REGISTER        BIT(7)

enum { TIMING_ONE_SHOT, TIMING_PERIODIC, TIMING_DEADLINE };

static void error(struct lapic *lapic, uint64_t bit);

static void set_vector(uint32_t *words, uint8_t *summary, uint8_t vector)
{
	words[vector / 32] |= 1U << vector % 32;
	*summary |= (uint8_t)(1U << vector / 32);
}

static void clear_vector(uint32_t *words, uint8_t *summary, uint8_t vector)
{
	words[vector / 32] &= ~(1U << vector % 32);
	if (!words[vector / 32]) *summary &= (uint8_t) ~(1U << vector / 32);
}

static unsigned highest_bit(uint32_t word) { return 31U - (unsigned)__builtin_clz(word); }

/* The highest vector set, or -1. */
static int highest(const uint32_t *words, uint8_t summary)
{
	unsigned word;

	if (!summary) return -1;
	word = highest_bit(summary);
	return (int)(word * 32 + highest_bit(words[word]));
}

/* The processor priority (SDM 3A 11.8.3.1). */
static uint32_t processor_priority(const struct lapic *lapic)
{
	int serviced = highest(lapic->isr, lapic->isr_words);
	uint32_t class = serviced < 0 ? 0 : (uint32_t)serviced & 0xf0;

	return (lapic->tpr & 0xf0) >= class ? lapic->tpr : class;
}

int lapic_pending(const struct lapic *lapic)
{
	int vector = highest(lapic->irr, lapic->irr_words);

	if (vector < 0 || ((uint32_t)vector & 0xf0) <= (processor_priority(lapic) & 0xf0)) return -1;
	return vector;
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
	clear_vector(lapic->irr, &lapic->irr_words, vector);
	set_vector(lapic->isr, &lapic->isr_words, vector);
}

static void end_of_interrupt(struct lapic *lapic)
{
	int vector = highest(lapic->isr, lapic->isr_words);

	if (vector < 0) return;
	clear_vector(lapic->isr, &lapic->isr_words, (uint8_t)vector);
	if (lapic->tmr[vector / 32] >> vector % 32 & 1 && lapic->host.eoi)
		lapic->host.eoi(lapic->host.ctx, (uint8_t)vector);
}

static bool software_enabled(const struct lapic *lapic) { return lapic->svr & SVR_ENABLED; }

/* A fixed interrupt arrives. A software-disabled APIC takes none (SDM 3A 11.4.7.2). */
static void take_fixed(struct lapic *lapic, uint8_t vector, bool level)
{
	uint32_t bit = 1U << vector % 32;

	if (!software_enabled(lapic)) return;
	if (vector < 16) {
		error(lapic, ERROR_RECEIVED_VECTOR);
		return;
	}
	if (level)
		lapic->tmr[vector / 32] |= bit;
	else
		lapic->tmr[vector / 32] &= ~bit;
	set_vector(lapic->irr, &lapic->irr_words, vector);
}

/* INIT and start-up are for whoever runs the CPUs; ExtINT and SMI do not come this way. */
void lapic_take(struct lapic *lapic, uint64_t command)
{
	switch (FIELD(command, COMMAND_MODE)) {
	case MODE_FIXED:
	case MODE_LOWEST: take_fixed(lapic, (uint8_t)command, command & COMMAND_LEVEL); break;
	case MODE_NMI:
		if (lapic->host.nmi) lapic->host.nmi(lapic->host.ctx);
		break;
	default: break;
	}
}

/* The local interrupts: masked or absent while software-disabled. */
static void take_local(struct lapic *lapic, unsigned entry)
{
	uint32_t lvt = lapic->lvt[entry];

	if (!(lvt & LVT_MASKED)) lapic_take(lapic, lvt & (COMMAND_VECTOR | (entry == LVT_TIMER ? 0 : COMMAND_MODE)));
}

/* Note an error; the first since the last one was read interrupts (SDM 3A 11.5.3). */
static void error(struct lapic *lapic, uint64_t bit)
{
	bool news = !(lapic->errors & bit);

	lapic->errors |= (uint32_t)bit;
	/* An error vector that is itself illegal must not raise errors for ever. */
	if (news && (uint8_t)lapic->lvt[LVT_ERROR] >= 16) take_local(lapic, LVT_ERROR);
}

/* Physical, flat and cluster destinations (SDM 3A 11.6.2). */
bool lapic_is_destination(const struct lapic *lapic, uint8_t destination, bool logical)
{
	uint8_t mine = (uint8_t)(lapic->ldr >> 24);

	if (destination == 0xff) return true;
	if (!logical) return destination == lapic->id >> 24;
	if (lapic->dfr >> 28 == 0xf) return destination & mine;
	return destination >> 4 == mine >> 4 && destination & mine & 0xf;
}

uint32_t lapic_priority(const struct lapic *lapic) { return processor_priority(lapic) & 0xf0; }

bool lapic_is_enabled(const struct lapic *lapic) { return software_enabled(lapic); }

/* IPIs are edges, whatever they say; but an INIT of level 0 is none (SDM 3A 11.6.1). */
static void send_ipi(struct lapic *lapic)
{
	uint64_t icr = lapic->icr_low | (uint64_t)lapic->icr_high << 32;

	if (FIELD(icr, COMMAND_MODE) <= MODE_LOWEST && FIELD(icr, COMMAND_VECTOR) < 16) {
		error(lapic, ERROR_SENT_VECTOR);
		return;
	}
	icr &= ~COMMAND_LEVEL | (FIELD(icr, COMMAND_MODE) == MODE_INIT ? COMMAND_LEVEL : 0);
	if (FIELD(icr, ICR_SHORTHAND) == TO_SELF)
		lapic_take(lapic, icr);
	else
		lapic->host.ipi(lapic->host.ctx, icr);
}

bool lapic_takes_extint(const struct lapic *lapic)
{
	uint32_t lvt = lapic->lvt[LVT_LINT0];

	if (!software_enabled(lapic)) return true;
	return !(lvt & LVT_MASKED) && FIELD(lvt, LVT_MODE) == MODE_EXTINT;
}

uint64_t lapic_cr8(const struct lapic *lapic) { return lapic->tpr >> 4; }

void lapic_set_cr8(struct lapic *lapic, uint64_t value) { lapic->tpr = (uint32_t)(value & 0xf) << 4; }

/* The timer (SDM 3A 11.5.4). */

/* Clock ticks per count: bits 3, 1, 0 of the register are one less than the power of two. */
static unsigned timer_shift(const struct lapic *lapic)
{
	uint32_t divide = lapic->timer_divide;

	return (((divide >> 1 & 4) | (divide & 3)) + 1) & 7;
}

static uint64_t timer_elapsed(const struct lapic *lapic)
{
	return (lapic->host.now(lapic->host.ctx) - lapic->timer_start) >> timer_shift(lapic);
}

static uint64_t timing(const struct lapic *lapic) { return FIELD(lapic->lvt[LVT_TIMER], LVT_TIMING); }

bool lapic_timer_is_periodic(const struct lapic *lapic) { return timing(lapic) == TIMING_PERIODIC; }

static uint32_t timer_current(const struct lapic *lapic)
{
	uint64_t elapsed;

	if (!lapic->timer_running || timing(lapic) == TIMING_DEADLINE) return 0;
	elapsed = timer_elapsed(lapic);
	if (elapsed < lapic->timer_initial) return lapic->timer_initial - (uint32_t)elapsed;
	if (timing(lapic) == TIMING_PERIODIC) return lapic->timer_initial - (uint32_t)(elapsed % lapic->timer_initial);
	return 0;
}

static void start_timer(struct lapic *lapic, uint32_t initial)
{
	if (timing(lapic) == TIMING_DEADLINE) return;
	lapic->timer_initial = initial;
	lapic->timer_running = initial && lapic->host.now;
	if (lapic->timer_running) lapic->timer_start = lapic->host.now(lapic->host.ctx);
}

void lapic_set_deadline(struct lapic *lapic, uint64_t value, uint64_t ticks)
{
	if (timing(lapic) != TIMING_DEADLINE) return;
	lapic->deadline = value;
	lapic->timer_running = value && lapic->host.now;
	if (lapic->timer_running) lapic->timer_start = lapic->host.now(lapic->host.ctx) + MIN(ticks, INT64_MAX);
}

bool lapic_timer_due(const struct lapic *lapic, uint64_t *ticks)
{
	uint64_t left;

	if (!lapic->timer_running) return false;
	left = lapic->timer_start - lapic->host.now(lapic->host.ctx);
	if (timing(lapic) != TIMING_DEADLINE) left += (uint64_t)lapic->timer_initial << timer_shift(lapic);
	*ticks = (int64_t)left < 0 ? 0 : left;
	return true;
}

/* Periods that passed unseen are one interrupt: the IRR could hold no more either. */
void lapic_timer_poll(struct lapic *lapic)
{
	uint64_t ticks;

	if (!lapic_timer_due(lapic, &ticks) || ticks) return;
	if (timing(lapic) == TIMING_PERIODIC) {
		uint64_t elapsed = timer_elapsed(lapic);

		lapic->timer_start += (elapsed - elapsed % lapic->timer_initial) << timer_shift(lapic);
	} else {
		lapic->timer_running = false;
		lapic->deadline = 0;
	}
	take_local(lapic, LVT_TIMER);
}

/* Registers. */

static const uint32_t lvt_writable[LAPIC_LVTS] = {
	[LVT_TIMER] = 0x000700ff, [LVT_THERMAL] = 0x000107ff, [LVT_PERFORMANCE] = 0x000107ff,
	[LVT_LINT0] = 0x0001a7ff, [LVT_LINT1] = 0x0001a7ff,   [LVT_ERROR] = 0x000100ff,
};

/* To and from deadline mode the timer is disarmed (SDM 3A 11.5.4.1). */
static void write_lvt(struct lapic *lapic, unsigned entry, uint32_t value)
{
	if (entry == LVT_TIMER && (FIELD(value, LVT_TIMING) == TIMING_DEADLINE) != (timing(lapic) == TIMING_DEADLINE)) {
		lapic->timer_running = false;
		lapic->deadline = 0;
	}
	lapic->lvt[entry] = value & lvt_writable[entry];
	if (!software_enabled(lapic)) lapic->lvt[entry] |= LVT_MASKED;
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
	lapic->svr = value & SVR_WRITABLE;
	if (software_enabled(lapic)) return;
	for (unsigned i = 0; i < LAPIC_LVTS; i++) /* SDM 3A 11.4.7.2 */
		lapic->lvt[i] |= LVT_MASKED;
}

static bool is_lvt(uint64_t offset) { return offset >= REG_LVT && offset < REG_LVT + 16 * LAPIC_LVTS; }

bool lapic_is_timer(uint64_t offset) { return offset == REG_LVT || offset >= REG_TIMER_INITIAL; }

/* One of eight words, 16 bytes apart. */
static uint32_t word_of(const uint32_t *words, uint64_t offset) { return words[offset >> 4 & 7]; }

static uint32_t read_register(struct lapic *lapic, uint64_t offset)
{
	if (is_lvt(offset)) return lapic->lvt[(offset - REG_LVT) >> 4];
	switch (offset & ~0x7fULL) { /* those of eight words begin at multiples of 0x80 */
	case REG_ISR: return word_of(lapic->isr, offset);
	case REG_TMR: return word_of(lapic->tmr, offset);
	case REG_IRR: return word_of(lapic->irr, offset);
	}
	switch (offset) {
	case REG_ID: return lapic->id;
	case REG_VERSION: return VERSION;
	case REG_TPR: return lapic->tpr;
	case REG_PPR: return processor_priority(lapic);
	case REG_LDR: return lapic->ldr;
	case REG_DFR: return lapic->dfr;
	case REG_SVR: return lapic->svr;
	case REG_ESR: return lapic->esr;
	case REG_ICR_LOW: return lapic->icr_low;
	case REG_ICR_HIGH: return lapic->icr_high;
	case REG_TIMER_INITIAL: return lapic->timer_initial;
	case REG_TIMER_CURRENT: return timer_current(lapic);
	case REG_TIMER_DIVIDE: return lapic->timer_divide;
	case REG_APR:
	case REG_EOI: return 0;
	default: error(lapic, ERROR_REGISTER); return 0;
	}
}

static void write_register(struct lapic *lapic, uint64_t offset, uint32_t value)
{
	if (is_lvt(offset)) {
		write_lvt(lapic, (unsigned)(offset - REG_LVT) >> 4, value);
		return;
	}
	switch (offset) {
	case REG_ID: lapic->id = value & 0xff000000; break;
	case REG_TPR: lapic->tpr = value & 0xff; break;
	case REG_EOI: end_of_interrupt(lapic); break;
	case REG_LDR: lapic->ldr = value & 0xff000000; break;
	case REG_DFR: lapic->dfr = value | 0x0fffffff; break;
	case REG_SVR: write_svr(lapic, value); break;
	case REG_ESR:
		lapic->esr = lapic->errors;
		lapic->errors = 0;
		break;
	case REG_ICR_LOW:
		lapic->icr_low = value & ICR_LOW_WRITABLE;
		send_ipi(lapic);
		break;
	case REG_ICR_HIGH: lapic->icr_high = value & 0xff000000; break;
	case REG_TIMER_INITIAL: start_timer(lapic, value); break;
	case REG_TIMER_DIVIDE: lapic->timer_divide = value & 0xb; break;
	default: /* read-only, or none */
		if (offset < REG_ID || offset > REG_TIMER_DIVIDE) error(lapic, ERROR_REGISTER);
		break;
	}
}

/* Each register is the first 4 bytes of 16; other accesses are undefined (SDM 3A 11.4.1). */
void lapic_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	bool aligned = width == 4 && offset % 16 == 0;

	if (!write)
		*value = aligned ? read_register(device, offset) : 0;
	else if (aligned)
		write_register(device, offset, (uint32_t)*value);
}

void lapic_reset(struct lapic *lapic)
{
	*lapic = (struct lapic){
		.host = lapic->host,
		.id = lapic->id,
		.dfr = 0xffffffff,
		.svr = 0xff,
	};
	for (unsigned i = 0; i < LAPIC_LVTS; i++) lapic->lvt[i] = LVT_MASKED;
}

void lapic_init(struct lapic *lapic, uint8_t id, const struct lapic_host *host)
{
	lapic->host = *host;
	lapic->id = (uint32_t)id << 24;
	lapic_reset(lapic);
	lapic->svr |= SVR_ENABLED;
	lapic->lvt[LVT_LINT0] = COMMAND_LEVEL | TO_FIELD(MODE_EXTINT, LVT_MODE);
	lapic->lvt[LVT_LINT1] = COMMAND_LEVEL | TO_FIELD(MODE_NMI, LVT_MODE);
}
