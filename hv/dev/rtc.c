/* SPDX-License-Identifier: MIT */
/*
 * The PC's real-time clock with its CMOS memory (Motorola MC146818 datasheet; the century in
 * register 0x32, as the FADT says): ports 0x70 and 0x71. The date is computed when it is read, from
 * seconds since 1970 by the board's clock, and the seconds when it is set. The update cycle takes no
 * time, but it is announced to those who wait for it. It interrupts periodically, at each update and at
 * the alarm; nothing ticks while none of these is asked for.
 */
#include "hv/dev/acpi.h"
#include "hv/dev/devices.h"
#include "hv/dev/firmware.h"
#include "lib/bits.h"

struct rtc {
	const struct board *board;
	uint8_t index;
	uint8_t memory[CMOS_SIZE];
	int64_t offset;       /* seconds, of its time from the board's */
	struct timer timer;   /* the next event that interrupts */
	uint64_t periodic;    /* of the board's clock: the next periodic event */
	uint64_t last_update; /* the board's seconds then */
};

#define RTC_PORT 0x70
#define RTC_LINE 8
enum { INDEX, DATA };

/* Registers; what lies behind register D is memory. */
enum { SECONDS = 0, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM };
enum { WEEKDAY = 6, DAY, MONTH, YEAR, REG_A, REG_B, REG_C, REG_D };
#define A_DIVIDER  0x26 /* 32,768 Hz; a periodic rate of 1,024 Hz */
#define A_UPDATING 0x80 /* from a 4096th of a second before the update on */
#define B_SET      0x80 /* the time stands, for it is being set */
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define D_VALID    0x80
#define A_RATE     0x0f
#define PERIODIC   0x40 /* in B what may interrupt, in C what happened since C was read */
#define ALARM      0x20
#define UPDATE     0x10
#define C_IRQ      0x80
#define ANY_TIME   0xc0 /* in an alarm's register, or above it */
#define HOURS_PM   0x80

#define DAY_SECONDS   86400
#define EPOCH_DAY     719468 /* days from 0000-03-01 to 1970-01-01 */
#define ERA_DAYS      146097 /* of 400 years */
#define FIRST_WEEKDAY 4      /* 1970-01-01 was a Thursday; Sunday is 0 */

struct date {
	unsigned year, month, day, hour, minute, second, weekday;
};

/* Gregorian, in years that begin in March, so that the leap day is the last. */
static void date_of(uint64_t seconds, struct date *date)
{
	uint64_t days = seconds / DAY_SECONDS, shifted = days + EPOCH_DAY;
	unsigned rest = (unsigned)(seconds % DAY_SECONDS);
	unsigned of_era = (unsigned)(shifted % ERA_DAYS);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153; /* from March */

	date->weekday = (unsigned)(days + FIRST_WEEKDAY) % 7;
	date->day = of_year - (153 * month + 2) / 5 + 1;
	date->month = month < 10 ? month + 3 : month - 9;
	date->year = year + (unsigned)(shifted / ERA_DAYS) * 400 + (date->month <= 2);
	date->hour = rest / 3600;
	date->minute = rest / 60 % 60;
	date->second = rest % 60;
}

static uint64_t seconds_of(const struct date *date)
{
	unsigned year = date->year - (date->month <= 2);
	unsigned month = date->month > 2 ? date->month - 3 : date->month + 9;
	unsigned of_year = (153 * month + 2) / 5 + date->day - 1;
	uint64_t days = year * 365ULL + year / 4 - year / 100 + year / 400 + of_year;

	return (days - EPOCH_DAY) * DAY_SECONDS + date->hour * 3600ULL + date->minute * 60ULL + date->second;
}

static uint64_t board_now(const struct rtc *rtc) { return rtc->board->clock_hz ? rtc->board->now(rtc->board->ctx) : 0; }

static uint64_t board_seconds(const struct rtc *rtc) { return rtc->board->start_time + board_clock(rtc->board, 1); }

static uint8_t encode(const struct rtc *rtc, unsigned value)
{
	if (rtc->memory[REG_B] & B_BINARY) return (uint8_t)value;
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static unsigned decode(const struct rtc *rtc, uint8_t value)
{
	return rtc->memory[REG_B] & B_BINARY ? value : value / 16U * 10 + value % 16;
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned hour)
{
	if (rtc->memory[REG_B] & B_24_HOURS) return encode(rtc, hour);
	return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOURS_PM : 0);
}

static unsigned decode_hour(const struct rtc *rtc, uint8_t value)
{
	if (rtc->memory[REG_B] & B_24_HOURS) return decode(rtc, value);
	return decode(rtc, value & (uint8_t)~HOURS_PM) % 12 + (value & HOURS_PM ? 12 : 0);
}

/* Bring the registers to the time of now, unless it is being set. */
static void update(struct rtc *rtc)
{
	uint8_t *m = rtc->memory;
	struct date date;

	if (m[REG_B] & B_SET) return;
	date_of(board_seconds(rtc) + (uint64_t)rtc->offset, &date);
	m[SECONDS] = encode(rtc, date.second);
	m[MINUTES] = encode(rtc, date.minute);
	m[HOURS] = encode_hour(rtc, date.hour);
	m[WEEKDAY] = encode(rtc, date.weekday + 1);
	m[DAY] = encode(rtc, date.day);
	m[MONTH] = encode(rtc, date.month);
	m[YEAR] = encode(rtc, date.year % 100);
	m[RTC_CENTURY] = encode(rtc, date.year / 100);
}

/* The registers are the time of now. A date that is none becomes one that is near. */
static void set_time(struct rtc *rtc)
{
	const uint8_t *m = rtc->memory;
	const struct date date = {
		.year = MAX(1970U, decode(rtc, m[RTC_CENTURY]) * 100 + decode(rtc, m[YEAR])),
		.month = MAX(1U, MIN(12U, decode(rtc, m[MONTH]))),
		.day = MAX(1U, MIN(31U, decode(rtc, m[DAY]))),
		.hour = decode_hour(rtc, m[HOURS]),
		.minute = decode(rtc, m[MINUTES]),
		.second = decode(rtc, m[SECONDS]),
	};

	rtc->offset = (int64_t)(seconds_of(&date) - board_seconds(rtc));
}

/* Ticks of the board's clock between periodic events; 0: there are none. */
static uint64_t period(const struct rtc *rtc)
{
	unsigned rate = rtc->memory[REG_A] & A_RATE;

	if (rate == 1 || rate == 2) rate += 7; /* the two that are in the list twice */
	return rate ? (rtc->board->clock_hz << (rate - 1)) / 32768 : 0;
}

static bool alarm_matches(const uint8_t *m)
{
	for (unsigned i = SECONDS; i <= HOURS; i += 2)
		if (m[i + 1] < ANY_TIME && m[i + 1] != m[i]) return false;
	return true;
}

/* Bring register C to now, and the line and the timer in line with what may interrupt. */
static void look(struct rtc *rtc)
{
	const struct board *board = rtc->board;
	uint64_t hz = board->clock_hz, now = board_now(rtc), due = TIMER_OFF, every = period(rtc);
	uint8_t *m = rtc->memory;

	if (hz && every && now >= rtc->periodic) {
		m[REG_C] |= PERIODIC;
		rtc->periodic = now + every - (now - rtc->periodic) % every;
	}
	if (!(m[REG_B] & B_SET) && board_seconds(rtc) != rtc->last_update) {
		rtc->last_update = board_seconds(rtc);
		update(rtc);
		m[REG_C] |= UPDATE | (alarm_matches(m) ? ALARM : 0);
	}
	if (m[REG_B] & m[REG_C] & (PERIODIC | ALARM | UPDATE)) m[REG_C] |= C_IRQ;
	board->line(board->ctx, RTC_LINE, m[REG_C] & C_IRQ);
	if (m[REG_B] & PERIODIC && every) due = rtc->periodic;
	if (m[REG_B] & (ALARM | UPDATE)) due = MIN(due, now + hz - now % MAX(hz, 1U));
	timer_set(board->timers, &rtc->timer, hz ? due : TIMER_OFF);
}

static void fire(void *device) { look(device); }

static bool is_time(unsigned index)
{
	return index == SECONDS || index == MINUTES || index == HOURS || (index >= WEEKDAY && index <= YEAR) ||
	       index == RTC_CENTURY;
}

static void write_data(struct rtc *rtc, uint8_t value)
{
	bool was_set = rtc->memory[REG_B] & B_SET;

	switch (rtc->index) {
	case REG_A: value &= (uint8_t)~A_UPDATING; break;
	case REG_C:
	case REG_D: return;
	default:
		update(rtc); /* the rest of the date, as it is without this write */
		break;
	}
	rtc->memory[rtc->index] = value;
	if (rtc->index == REG_B && value & B_SET) rtc->memory[REG_B] &= (uint8_t)~UPDATE; /* the chip does */
	if (rtc->index == REG_A) rtc->periodic = board_now(rtc) + period(rtc);
	if (rtc->index == REG_B ? was_set && !(value & B_SET) : !was_set && is_time(rtc->index)) set_time(rtc);
}

static bool is_about_to_update(const struct rtc *rtc)
{
	uint64_t hz = rtc->board->clock_hz;

	return hz && !(rtc->memory[REG_B] & B_SET) && hz - board_now(rtc) % hz <= hz / 4096;
}

static void rtc_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct rtc *rtc = device;

	(void)width;
	if (write && offset == INDEX) {
		rtc->index = (uint8_t)*value % CMOS_SIZE; /* bit 7 masks NMIs, of which there are none */
	} else if (write) {
		look(rtc);
		write_data(rtc, (uint8_t)*value);
		look(rtc);
	} else if (offset == INDEX) {
		*value = ~0ULL;
	} else {
		if (rtc->index == REG_C) look(rtc);
		update(rtc);
		*value = rtc->memory[rtc->index];
		if (rtc->index == REG_A && is_about_to_update(rtc)) *value |= A_UPDATING;
		if (rtc->index != REG_C) return;
		rtc->memory[REG_C] = 0;
		look(rtc);
	}
}

static void create(void *state, const struct board *board)
{
	struct rtc *rtc = state;

	rtc->board = board;
	rtc->memory[REG_A] = A_DIVIDER;
	rtc->memory[REG_B] = B_24_HOURS;
	rtc->memory[REG_D] = D_VALID;
	firmware_keep(rtc->memory, board->low_ram_end, board->high_ram_end, board->cpus);
	rtc->last_update = board_seconds(rtc);
	rtc->periodic = board_now(rtc) + period(rtc);
	timers_add(board->timers, &rtc->timer, fire, rtc);
	bus_add(board->ports, RTC_PORT, 2, rtc_access, rtc, board->name);
}

const struct device_row rtc_device = {.name = "rtc", .size = sizeof(struct rtc), .create = create};
