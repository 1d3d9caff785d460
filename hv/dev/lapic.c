/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: registers, acceptance and delivery of interrupts. It never enters a guest and keeps
 * no time of its own.
 */
#include "hv/dev/lapic.h"

#include "hv/dev/timers.h"
#include "lib/errno.h"

#define READABLE                                                                                                       \
	(BITS(LAPIC_VERSION, LAPIC_ID) | BITS(LAPIC_EOI, LAPIC_TPR) | BITS(LAPIC_SVR, LAPIC_LDR) |                     \
	 BITS(LAPIC_ESR, LAPIC_ISR) | BITS(LAPIC_TIMER_CURRENT, LAPIC_ICR_LOW) | BIT(LAPIC_TIMER_DIVIDE))
/* By MSR (SDM 3A table 11-6). */
#define MSR_READABLE (READABLE & ~(BIT(LAPIC_APR) | BIT(LAPIC_EOI) | BIT(LAPIC_DFR) | BIT(LAPIC_ICR_HIGH)))
#define MSR_WRITABLE                                                                                                   \
	(BIT(LAPIC_TPR) | BIT(LAPIC_EOI) | BIT(LAPIC_SVR) | BIT(LAPIC_ESR) | BIT(LAPIC_ICR_LOW) |                      \
	 BITS(LAPIC_TIMER_INITIAL, LAPIC_LVT_TIMER) | BITS(LAPIC_SELF_IPI, LAPIC_TIMER_DIVIDE))

/* What a write changes; the rest is read-only or has a function. */
static const uint32_t writable[LAPIC_REGISTERS] = {
	[LAPIC_ID] = 0xff000000,
	[LAPIC_TPR] = 0x000000ff,
	[LAPIC_LDR] = 0xff000000,
	[LAPIC_DFR] = 0xf0000000,
	[LAPIC_SVR] = 0x000003ff,
	[LAPIC_ICR_LOW] = 0x000ccfff,
	[LAPIC_ICR_HIGH] = 0xff000000,
	[LAPIC_LVT_TIMER] = 0x000700ff,
	[LAPIC_LVT_TIMER + 1 ... LAPIC_LVT_LINT0 - 1] = 0x000107ff,
	[LAPIC_LVT_LINT0... LAPIC_LVT_LINT1] = 0x0001a7ff,
	[LAPIC_LVT_ERROR] = 0x000100ff,
	[LAPIC_TIMER_DIVIDE] = 0x0000000b,
	[LAPIC_SELF_IPI] = 0x000000ff,
};

#define VERSION_VALUE (LAPIC_VERSION_NUMBER | (LAPIC_LVT_ERROR - LAPIC_LVT_TIMER) << 16)
#define LVT_READ_ONLY (BIT(12) | BIT(14)) /* delivery status, remote IRR */

/* Errors (SDM 3A 11.5.3). */
#define ERROR_SENT_VECTOR     BIT(5)
#define ERROR_RECEIVED_VECTOR BIT(6)
#define ERROR_REGISTER        BIT(7)

enum { TIMING_ONE_SHOT, TIMING_PERIODIC, TIMING_DEADLINE };
#define BROADCAST_8  0xffU
#define BROADCAST_32 0xffffffffU

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
	int serviced = highest(&lapic->reg[LAPIC_ISR], lapic->isr_words);
	uint32_t class = serviced < 0 ? 0 : (uint32_t)serviced & 0xf0;

	return (lapic->reg[LAPIC_TPR] & 0xf0) >= class ? lapic->reg[LAPIC_TPR] : class;
}

int lapic_pending(const struct lapic *lapic)
{
	int vector = highest(&lapic->reg[LAPIC_IRR], lapic->irr_words);

	if (vector < 0 || ((uint32_t)vector & 0xf0) <= (processor_priority(lapic) & 0xf0)) return -1;
	return vector;
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
	clear_vector(&lapic->reg[LAPIC_IRR], &lapic->irr_words, vector);
	set_vector(&lapic->reg[LAPIC_ISR], &lapic->isr_words, vector);
}

static void end_of_interrupt(struct lapic *lapic)
{
	int vector = highest(&lapic->reg[LAPIC_ISR], lapic->isr_words);

	if (vector < 0) return;
	clear_vector(&lapic->reg[LAPIC_ISR], &lapic->isr_words, (uint8_t)vector);
	if (vector == (uint8_t)lapic->reg[LAPIC_LVT_TIMER] && lapic->host.now)
		lapic->timer_held = lapic->host.now(lapic->host.ctx) + timer_shortest;
	if (lapic->reg[LAPIC_TMR + vector / 32] >> vector % 32 & 1 && lapic->host.eoi)
		lapic->host.eoi(lapic->host.ctx, (uint8_t)vector);
}

bool lapic_is_enabled(const struct lapic *lapic) { return lapic->reg[LAPIC_SVR] & LAPIC_SVR_ENABLE; }

/* A fixed interrupt arrives. A software-disabled APIC takes none (SDM 3A 11.4.7.2). */
static void take_fixed(struct lapic *lapic, uint8_t vector, bool level)
{
	uint32_t bit = 1U << vector % 32;

	if (!lapic_is_enabled(lapic)) return;
	if (vector < 16) {
		error(lapic, ERROR_RECEIVED_VECTOR);
		return;
	}
	if (level)
		lapic->reg[LAPIC_TMR + vector / 32] |= bit;
	else
		lapic->reg[LAPIC_TMR + vector / 32] &= ~bit;
	set_vector(&lapic->reg[LAPIC_IRR], &lapic->irr_words, vector);
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
	uint32_t lvt = lapic->reg[entry];

	if (!(lvt & LAPIC_LVT_MASKED))
		lapic_take(lapic, lvt & (COMMAND_VECTOR | (entry == LAPIC_LVT_TIMER ? 0 : COMMAND_MODE)));
}

/* Note an error; the first since the last one was read interrupts (SDM 3A 11.5.3). */
static void error(struct lapic *lapic, uint64_t bit)
{
	bool news = !(lapic->errors & bit);

	lapic->errors |= (uint32_t)bit;
	/* An error vector that is itself illegal must not raise errors for ever. */
	if (news && (uint8_t)lapic->reg[LAPIC_LVT_ERROR] >= 16) take_local(lapic, LAPIC_LVT_ERROR);
}

/* Whatever the mode, which another CPU that sends to this one may see change: x2APIC mode has it in the low byte. */
static uint32_t own_id(const struct lapic *lapic) { return lapic->reg[LAPIC_ID] >> 24 | (lapic->reg[LAPIC_ID] & 0xff); }

/* Physical, flat and cluster destinations; x2APIC's have 32 bits (SDM 3A 11.6.2, 11.12.9, 11.12.10.2). */
bool lapic_is_destination(const struct lapic *lapic, uint32_t destination, bool logical)
{
	uint32_t mine = lapic->reg[LAPIC_LDR];

	if (destination == BROADCAST_32 || (destination == BROADCAST_8 && !(logical && lapic->x2apic))) return true;
	if (!logical) return destination == own_id(lapic);
	if (lapic->x2apic) return destination >> 16 == mine >> 16 && destination & mine & 0xffff;
	mine >>= 24;
	if (lapic->reg[LAPIC_DFR] >> 28 == 0xf) return destination & mine;
	return destination >> 4 == mine >> 4 && destination & mine & 0xf;
}

uint32_t lapic_priority(const struct lapic *lapic) { return processor_priority(lapic) & 0xf0; }

/* IPIs are edges, whatever they say; but an INIT of level 0 is none (SDM 3A 11.6.1). */
static void send_ipi(struct lapic *lapic, uint64_t icr)
{
	bool to_self = FIELD(icr, ICR_SHORTHAND) == TO_SELF;

	if (FIELD(icr, COMMAND_MODE) <= MODE_LOWEST && FIELD(icr, COMMAND_VECTOR) < 16) {
		error(lapic, ERROR_SENT_VECTOR);
		if (!to_self) return;
	}
	if (FIELD(icr, COMMAND_MODE) == MODE_INIT && icr & COMMAND_LEVEL && !(icr & COMMAND_ASSERT)) return;
	icr &= ~COMMAND_LEVEL;
	if (to_self)
		lapic_take(lapic, icr);
	else
		lapic->host.ipi(lapic->host.ctx, icr);
}

bool lapic_takes_extint(const struct lapic *lapic)
{
	uint32_t lvt = lapic->reg[LAPIC_LVT_LINT0];

	return !(lvt & LAPIC_LVT_MASKED) && FIELD(lvt, COMMAND_MODE) == MODE_EXTINT;
}

/* The timer (SDM 3A 11.5.4). */

/* Clock ticks per count: bits 3, 1, 0 of the register are one less than the power of two. */
static unsigned timer_shift(const struct lapic *lapic)
{
	uint32_t divide = lapic->reg[LAPIC_TIMER_DIVIDE];

	return (((divide >> 1 & 4) | (divide & 3)) + 1) & 7;
}

static uint64_t timer_elapsed(const struct lapic *lapic)
{
	return (lapic->host.now(lapic->host.ctx) - lapic->timer_start) >> timer_shift(lapic);
}

static uint64_t timing(const struct lapic *lapic) { return FIELD(lapic->reg[LAPIC_LVT_TIMER], LAPIC_LVT_TIMING); }

bool lapic_timer_is_periodic(const struct lapic *lapic) { return timing(lapic) == TIMING_PERIODIC; }

static uint32_t timer_current(const struct lapic *lapic)
{
	uint64_t elapsed;

	if (!lapic->timer_running || timing(lapic) == TIMING_DEADLINE) return 0;
	elapsed = timer_elapsed(lapic);
	if (elapsed < lapic->reg[LAPIC_TIMER_INITIAL]) return lapic->reg[LAPIC_TIMER_INITIAL] - (uint32_t)elapsed;
	if (timing(lapic) == TIMING_PERIODIC)
		return lapic->reg[LAPIC_TIMER_INITIAL] - (uint32_t)(elapsed % lapic->reg[LAPIC_TIMER_INITIAL]);
	return 1; /* 0 only when it has fired, for which it may have to wait */
}

static void start_timer(struct lapic *lapic, uint32_t initial)
{
	if (timing(lapic) == TIMING_DEADLINE) return;
	lapic->reg[LAPIC_TIMER_INITIAL] = initial;
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

/* While its vector is in service the timer waits: fired before the EOI, it would be there at once behind it. */
bool lapic_timer_due(const struct lapic *lapic, uint64_t *ticks)
{
	uint64_t now, due = lapic->timer_start;
	uint8_t vector = (uint8_t)lapic->reg[LAPIC_LVT_TIMER];

	if (!lapic->timer_running) return false;
	now = lapic->host.now(lapic->host.ctx);
	if (timing(lapic) != TIMING_DEADLINE) due += (uint64_t)lapic->reg[LAPIC_TIMER_INITIAL] << timer_shift(lapic);
	due = MAX(due, lapic->timer_held);
	if (lapic->reg[LAPIC_ISR + vector / 32] >> vector % 32 & 1) due = MAX(due, now + timer_shortest);
	*ticks = (int64_t)(due - now) < 0 ? 0 : due - now;
	return true;
}

/* Periods that passed unseen are one interrupt: the IRR could hold no more either. */
void lapic_timer_poll(struct lapic *lapic)
{
	uint64_t ticks;

	if (!lapic_timer_due(lapic, &ticks) || ticks) return;
	if (timing(lapic) == TIMING_PERIODIC) {
		uint64_t elapsed = timer_elapsed(lapic);

		lapic->timer_start += (elapsed - elapsed % lapic->reg[LAPIC_TIMER_INITIAL]) << timer_shift(lapic);
	} else {
		lapic->timer_running = false;
		lapic->deadline = 0;
	}
	take_local(lapic, LAPIC_LVT_TIMER);
}

/* Registers. */

bool lapic_is_timer(unsigned number)
{
	return number == LAPIC_LVT_TIMER || (number >= LAPIC_TIMER_INITIAL && number <= LAPIC_TIMER_DIVIDE);
}

static uint32_t read_register(struct lapic *lapic, uint64_t number)
{
	if (number == LAPIC_PPR) return processor_priority(lapic);
	if (number == LAPIC_TIMER_CURRENT) {
		lapic_timer_poll(lapic); /* who sees it at 0 has the interrupt */
		return timer_current(lapic);
	}
	if (number < LAPIC_REGISTERS && READABLE & BIT(number)) return lapic->reg[number];
	error(lapic, ERROR_REGISTER);
	return 0;
}

/* To and from deadline mode the timer is disarmed (SDM 3A 11.5.4.1). */
static void change_timing(struct lapic *lapic, uint32_t value)
{
	if ((FIELD(value, LAPIC_LVT_TIMING) == TIMING_DEADLINE) == (timing(lapic) == TIMING_DEADLINE)) return;
	lapic->timer_running = false;
	lapic->deadline = 0;
}

/* A new divider: the count goes on from where it is, at another rate. */
static void change_rate(struct lapic *lapic, uint32_t value)
{
	uint64_t counted = lapic->reg[LAPIC_TIMER_INITIAL] - timer_current(lapic);

	lapic->reg[LAPIC_TIMER_DIVIDE] = value & writable[LAPIC_TIMER_DIVIDE];
	if (lapic->timer_running && timing(lapic) != TIMING_DEADLINE)
		lapic->timer_start = lapic->host.now(lapic->host.ctx) - (counted << timer_shift(lapic));
}

/* Without the software's leave all local interrupts are masked (SDM 3A 11.4.7.2). */
static void mask_disabled(struct lapic *lapic)
{
	for (unsigned entry = LAPIC_LVT_TIMER; !lapic_is_enabled(lapic) && entry <= LAPIC_LVT_ERROR; entry++)
		lapic->reg[entry] |= LAPIC_LVT_MASKED;
}

static void write_register(struct lapic *lapic, uint64_t number, uint32_t value)
{
	if (number < LAPIC_ID || number > (lapic->x2apic ? LAPIC_SELF_IPI : LAPIC_TIMER_DIVIDE)) {
		error(lapic, ERROR_REGISTER);
		return;
	}
	if (lapic_is_timer((unsigned)number)) lapic_timer_poll(lapic); /* what was due is not forgotten */
	if (number == LAPIC_LVT_TIMER) change_timing(lapic, value);
	if (number == LAPIC_TIMER_DIVIDE) change_rate(lapic, value);
	lapic->reg[number] = (lapic->reg[number] & ~writable[number]) | (value & writable[number]);
	switch (number) {
	case LAPIC_EOI: end_of_interrupt(lapic); break;
	case LAPIC_ESR:
		lapic->reg[LAPIC_ESR] = lapic->errors;
		lapic->errors = 0;
		break;
	case LAPIC_ICR_LOW:
		send_ipi(lapic, lapic->reg[number] | (uint64_t)lapic->reg[LAPIC_ICR_HIGH] << (lapic->x2apic ? 32 : 8));
		break;
	case LAPIC_TIMER_INITIAL: start_timer(lapic, value); break;
	case LAPIC_SELF_IPI: send_ipi(lapic, value | TO_FIELD(TO_SELF, ICR_SHORTHAND)); break;
	case LAPIC_SVR:
	case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR: mask_disabled(lapic); break;
	default: break;
	}
}

int lapic_read_msr(struct lapic *lapic, unsigned number, uint64_t *value)
{
	if (!lapic->x2apic || !(MSR_READABLE & BIT(number))) return -EINVAL;
	*value = read_register(lapic, number);
	if (number == LAPIC_ICR_LOW) *value |= (uint64_t)lapic->reg[LAPIC_ICR_HIGH] << 32;
	return 0;
}

int lapic_write_msr(struct lapic *lapic, unsigned number, uint64_t value)
{
	uint64_t allowed = writable[number];

	if (number == LAPIC_EOI && !value && lapic->x2apic) { /* every second write of all, and so 40 ticks shorter */
		end_of_interrupt(lapic);
		return 0;
	}
	if (number == LAPIC_ICR_LOW) allowed |= ICR_DESTINATION;
	if (number >= LAPIC_LVT_TIMER && number <= LAPIC_LVT_ERROR) allowed |= LVT_READ_ONLY;
	if (number == LAPIC_TIMER_INITIAL) allowed = BITS(31, 0);
	if (!lapic->x2apic || !(MSR_WRITABLE & BIT(number)) || value & ~allowed) return -EINVAL;
	if (number == LAPIC_ICR_LOW) lapic->reg[LAPIC_ICR_HIGH] = (uint32_t)(value >> 32);
	write_register(lapic, number, (uint32_t)value);
	return 0;
}

/* SDM 3A 11.12.10: the id keeps its value, the logical one follows from it. */
void lapic_set_x2apic(struct lapic *lapic, bool on)
{
	uint32_t id = own_id(lapic);

	lapic->x2apic = on;
	lapic->reg[LAPIC_ID] = on ? id : id << 24;
	lapic->reg[LAPIC_LDR] = on ? (id >> 4) << 16 | 1U << id % 16 : 0;
	lapic->reg[LAPIC_ICR_HIGH] = 0;
}

/*
 * Each register is the first 4 bytes of 16; other accesses are undefined (SDM 3A 11.4.1). But a compiler reads the id,
 * where it is a bit field, as the byte it is, and CPUs give that.
 */
void lapic_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	unsigned at = offset % 16;

	if (!write)
		*value = at + width <= 4 ? read_register(device, offset >> 4) >> 8 * at & BITS(8 * width - 1, 0) : 0;
	else if (width == 4 && !at)
		write_register(device, offset >> 4, (uint32_t)*value);
}

/* What others name it by keeps its value all the while: they may be about to send it its start-up IPI. */
void lapic_reset(struct lapic *lapic)
{
	static const uint32_t reset[LAPIC_REGISTERS] = {
		[LAPIC_VERSION] = VERSION_VALUE,
		[LAPIC_DFR] = 0xffffffff,
		[LAPIC_SVR] = 0xff,
		[LAPIC_LVT_TIMER... LAPIC_LVT_ERROR] = LAPIC_LVT_MASKED,
	};

	lapic->irr_words = lapic->isr_words = 0;
	for (unsigned n = 0; n < LAPIC_REGISTERS; n++)
		if (n != LAPIC_ID && !(n == LAPIC_LDR && lapic->x2apic)) lapic->reg[n] = reset[n];
	lapic->errors = 0;
	lapic->timer_running = false;
	lapic->timer_start = lapic->timer_held = lapic->deadline = 0;
}

void lapic_init(struct lapic *lapic, uint8_t id, const struct lapic_host *host)
{
	lapic->host = *host;
	lapic->reg[LAPIC_ID] = (uint32_t)id << 24;
	lapic_reset(lapic);
	lapic->reg[LAPIC_SVR] |= LAPIC_SVR_ENABLE;
	lapic->reg[LAPIC_LVT_LINT0] = COMMAND_LEVEL | TO_FIELD(MODE_EXTINT, COMMAND_MODE);
	lapic->reg[LAPIC_LVT_LINT1] = COMMAND_LEVEL | TO_FIELD(MODE_NMI, COMMAND_MODE);
}
