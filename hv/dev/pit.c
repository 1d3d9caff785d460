/* SPDX-License-Identifier: MIT */
/*
 * The PC's 8254 interval timer (Intel 8254 datasheet) and port 0x61, by which software gates its
 * channel 2 and sees its output. What a counter holds is computed by the board's clock from the
 * time when it was loaded. So nothing ticks while nobody looks, except for the interrupt of channel
 * 0.
 */
#include "hv/dev/devices.h"

#include "hv/dev/irq.h"
#include "lib/bits.h"
#include "lib/pc.h"

#define PIT_CHANNELS 3
#define PIT_LINE     0 /* of the ISA: channel 0's output */

struct pit_channel {
	uint32_t count; /* 1 to 65536; BCD is taken as binary */
	uint8_t word;   /* the control word's low six bits, as written */
	uint8_t mode;   /* 0 to 5 */
	uint8_t low;    /* the first byte of a count, while the second is awaited */
	bool write_high, read_high;
	bool loaded; /* it counts: a count has come since the mode was set */
	bool gate;
	uint64_t start;  /* 8254 ticks at which it began to count */
	uint64_t halted; /* ticks counted when the gate went low */
	uint16_t latch;
	uint8_t status;
	bool latched, status_latched;
};

struct pit {
	const struct board *board;
	struct pit_channel channel[PIT_CHANNELS];
	struct timer timer; /* the next rise of channel 0's output */
	bool speaker;       /* port 0x61 bit 1, which nothing hears */
};

#define GATE_CHANNEL 2

/* The control word (8254 datasheet, "Control Word Format", "Read-Back Command"). */
#define WORD_CHANNEL     BITS(7, 6)
#define WORD_ACCESS      BITS(5, 4)
#define WORD_MODE        BITS(3, 1)
#define WORD_READ_BACK   3      /* in place of a channel */
#define READ_BACK_COUNT  BIT(5) /* 0: latch it */
#define READ_BACK_STATUS BIT(4)
#define STATUS_OUT       BIT(7)
#define STATUS_NULL      BIT(6)

#define REFRESH      BIT(4) /* toggles with the refresh of memory: every 15 microseconds */
#define REFRESH_TICK 18

enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH /* low, then high */ };
enum { ON_TERMINAL_COUNT, ONE_SHOT, RATE_GENERATOR, SQUARE_WAVE, SOFTWARE_STROBE, HARDWARE_STROBE };

static uint64_t access(const struct pit_channel *c) { return FIELD(c->word, WORD_ACCESS); }

static bool is_periodic(const struct pit_channel *c) { return c->mode == RATE_GENERATOR || c->mode == SQUARE_WAVE; }

/* A rise of the gate begins the count; a low one does not hold it. */
static bool is_triggered(const struct pit_channel *c) { return c->mode == ONE_SHOT || c->mode == HARDWARE_STROBE; }

/* Ticks it has counted. */
static uint64_t elapsed(const struct pit_channel *c, uint64_t now)
{
	return c->gate || is_triggered(c) ? now - c->start : c->halted;
}

static uint16_t current_count(const struct pit_channel *c, uint64_t now)
{
	uint64_t ticks = elapsed(c, now);

	if (!c->loaded) return (uint16_t)c->count;
	if (c->mode == SQUARE_WAVE) /* by two, twice each period */
		return (uint16_t)(c->count - 2 * ticks % c->count);
	return (uint16_t)(c->count - (is_periodic(c) ? ticks % c->count : ticks));
}

static bool output(const struct pit_channel *c, uint64_t now)
{
	uint64_t ticks = elapsed(c, now);

	if (!c->loaded) return c->mode != ON_TERMINAL_COUNT;
	if (is_periodic(c) && !c->gate) return true;
	switch (c->mode) {
	case ON_TERMINAL_COUNT:
	case ONE_SHOT: return ticks >= c->count;
	case RATE_GENERATOR: return ticks % c->count != c->count - 1;
	case SQUARE_WAVE: return ticks % c->count < (c->count + 1) / 2;
	default: /* a strobe: low for one tick */ return ticks != c->count;
	}
}

static uint64_t pit_now(const struct pit *pit) { return board_clock(pit->board, PIT_HZ); }

/*
 * Let the timer fire at the next rise of channel 0's output behind 'now', in 8254 ticks: also at one that has passed
 * since. Its gate is always high.
 */
static void arm(struct pit *pit, uint64_t now)
{
	const struct pit_channel *c = &pit->channel[0];
	const struct board *board = pit->board;
	uint64_t ticks = now - c->start, wait;

	if (!board->clock_hz || !c->loaded || is_triggered(c) || (!is_periodic(c) && ticks >= c->count)) {
		timer_set(board->timers, &pit->timer, TIMER_OFF);
		return;
	}
	wait = c->count - (is_periodic(c) ? ticks % c->count : ticks);
	timer_set(board->timers, &pit->timer, board->now(board->ctx) + wait * board->clock_hz / PIT_HZ + 1);
}

static void set_line(const struct pit *pit, bool level) { pit->board->line(pit->board->ctx, PIT_LINE, level); }

static bool is_heard(const struct pit *pit)
{
	const struct irq *irq = pit->board->chips->irq;

	return !irq || irq_isa_is_heard(irq, PIT_LINE);
}

/* It goes on only while somebody hears it: an operating system with another clock leaves it alone for ever. */
static void fire(void *device)
{
	struct pit *pit = device;

	set_line(pit, false);
	set_line(pit, true);
	if (is_heard(pit)) arm(pit, pit_now(pit));
}

static void look(void *device)
{
	struct pit *pit = device;

	if (pit->timer.due == TIMER_OFF && is_heard(pit)) arm(pit, pit_now(pit));
}

static void load_count(struct pit *pit, struct pit_channel *c, uint32_t count)
{
	c->count = count ? count : 0x10000;
	c->loaded = !is_triggered(c);
	c->start = pit_now(pit);
	c->halted = 0;
	if (c != pit->channel) return;
	if (c->mode == ON_TERMINAL_COUNT) set_line(pit, false);
	arm(pit, c->start); /* its count may be over by now */
}

static void write_count(struct pit *pit, struct pit_channel *c, uint8_t value)
{
	if (access(c) == ACCESS_LOW) {
		load_count(pit, c, value);
	} else if (access(c) == ACCESS_HIGH) {
		load_count(pit, c, (uint32_t)value << 8);
	} else if (!c->write_high) {
		c->low = value;
		c->write_high = true;
	} else {
		c->write_high = false;
		load_count(pit, c, (uint32_t)value << 8 | c->low);
	}
}

static void latch_count(struct pit_channel *c, uint64_t now)
{
	if (c->latched) return;
	c->latch = current_count(c, now);
	c->latched = true;
}

static void latch_status(struct pit_channel *c, uint64_t now)
{
	if (c->status_latched) return;
	c->status = (uint8_t)((output(c, now) ? STATUS_OUT : 0) | (c->loaded ? 0 : STATUS_NULL) | c->word);
	c->status_latched = true;
}

static void read_back(struct pit *pit, uint8_t word)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(word & BIT(i + 1))) continue;
		if (!(word & READ_BACK_COUNT)) latch_count(&pit->channel[i], pit_now(pit));
		if (!(word & READ_BACK_STATUS)) latch_status(&pit->channel[i], pit_now(pit));
	}
}

static void set_mode(struct pit *pit, struct pit_channel *c, uint8_t word)
{
	unsigned mode = (unsigned)FIELD(word, WORD_MODE);

	c->word = word & (uint8_t)~WORD_CHANNEL;
	c->mode = (uint8_t)(mode > HARDWARE_STROBE ? mode & 3 : mode); /* 6 and 7 are 2 and 3 */
	c->write_high = c->read_high = c->latched = c->status_latched = c->loaded = false;
	if (c != pit->channel) return;
	set_line(pit, c->mode != ON_TERMINAL_COUNT);
	arm(pit, pit_now(pit));
}

static void write_control(struct pit *pit, uint8_t word)
{
	unsigned channel = (unsigned)FIELD(word, WORD_CHANNEL);

	if (channel == WORD_READ_BACK)
		read_back(pit, word);
	else if (FIELD(word, WORD_ACCESS) == ACCESS_LATCH)
		latch_count(&pit->channel[channel], pit_now(pit));
	else
		set_mode(pit, &pit->channel[channel], word);
}

static uint8_t read_count(struct pit_channel *c, uint64_t now)
{
	uint16_t count = c->latched ? c->latch : current_count(c, now);
	bool high = access(c) == ACCESS_HIGH || c->read_high;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	c->read_high = access(c) == ACCESS_BOTH && !c->read_high;
	if (!c->read_high) c->latched = false;
	return (uint8_t)(high ? count >> 8 : count);
}

static void access_channels(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct pit *pit = device;

	(void)width;
	if (!write)
		*value = offset == PIT_CONTROL ? 0 : read_count(&pit->channel[offset], pit_now(pit));
	else if (offset == PIT_CONTROL)
		write_control(pit, (uint8_t)*value);
	else
		write_count(pit, &pit->channel[offset], (uint8_t)*value);
}

static void set_gate(struct pit *pit, bool gate)
{
	struct pit_channel *c = &pit->channel[GATE_CHANNEL];
	uint64_t now = pit_now(pit);

	if (gate && !c->gate) {
		c->start = is_triggered(c) || is_periodic(c) ? now : now - c->halted;
		c->loaded |= is_triggered(c);
	} else if (!gate && c->gate) {
		c->halted = now - c->start;
	}
	c->gate = gate;
}

static void access_gate(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct pit *pit = device;
	const struct pit_channel *c = &pit->channel[GATE_CHANNEL];
	uint64_t now = pit_now(pit);

	(void)offset, (void)width;
	if (write) {
		set_gate(pit, *value & GATE_2);
		pit->speaker = *value & SPEAKER;
		return;
	}
	*value = (c->gate ? GATE_2 : 0) | (pit->speaker ? SPEAKER : 0) | (now / REFRESH_TICK % 2 ? REFRESH : 0) |
		 (output(c, now) ? OUTPUT_2 : 0);
}

#define AS_LEFT (TO_FIELD(ACCESS_BOTH, WORD_ACCESS) | TO_FIELD(SQUARE_WAVE, WORD_MODE))

/* As firmware leaves it: channel 0 counts 65536 in mode 3, 18.2 times a second. */
static void create(void *state, const struct board *board)
{
	struct pit *pit = state;

	pit->board = board;
	timers_add(board->timers, &pit->timer, fire, pit);
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		pit->channel[i] = (struct pit_channel){
			.count = 0x10000, .word = AS_LEFT, .mode = SQUARE_WAVE, .gate = i != GATE_CHANNEL};
	load_count(pit, &pit->channel[0], 0);
	if (board->chips->irq) {
		board->chips->irq->look = look;
		board->chips->irq->listener = pit;
	}
	bus_add(board->ports, PIT_PORT, 4, access_channels, pit, board->name);
	bus_add(board->ports, GATE_PORT, 1, access_gate, pit, "port 0x61");
}

const struct device_row pit_device = {.name = "pit", .size = sizeof(struct pit), .create = create};
