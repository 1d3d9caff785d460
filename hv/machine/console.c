/* SPDX-License-Identifier: MIT */
/*
 * The ring between those who print and COM1, the lines of guests, and the bytes that come in.
 */
#include "hv/machine/console.h"

#include "hv/machine/lock.h"
#include "hv/machine/serial.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/utf8.h"

#define BITS_PER_BYTE 10 /* on the line */

/*
 * A guest may have GUEST_SHARE bytes and one more line in the ring. All of them together leave
 * half of it to the hypervisor.
 */
#define RING_SIZE   65536U
#define GUEST_SHARE 1024U
#define GUESTS      16
#define INPUT_SIZE  8192U

static struct lock console_lock;
static char ring[RING_SIZE];
static uint8_t owner[RING_SIZE]; /* of each byte in the ring: a guest line's id, or 0 */
static uint32_t head, tail;      /* bytes put and sent so far */
static bool was_empty;           /* the ring, before what has come now */
static struct console_line *lines[GUESTS + 1];
static uint32_t queued[GUESTS + 1]; /* bytes in the ring, by owner; of a VM that begins anew also those from before */
static uint8_t input[INPUT_SIZE];
static uint32_t input_head, input_tail;
static bool also_e9;
static struct console_line *passed_on; /* whose guest has the terminal, or NULL */
static bool at_left = true;            /* the line at hand has nothing on it yet */
static uint64_t byte_ticks;            /* TSC ticks that a byte takes on the line; 0: not known yet */
static uint64_t next_send;             /* TSC: before, the UART is busy with what it has */

_Static_assert(GUESTS *(GUEST_SHARE + 4 * CONSOLE_LINE + 32) <= RING_SIZE / 2, "the shares");

void console_init(void) { serial_init(COM1); }

void console_also_e9(void) { also_e9 = true; }

void console_set_clock(uint64_t tsc_hz) { byte_ticks = tsc_hz * BITS_PER_BYTE / SERIAL_RATE; }

/* Send from the ring what the UART takes, up to where the ring wraps. */
static unsigned send(void)
{
	uint32_t at = tail % RING_SIZE;
	unsigned sent = serial_send(COM1, &ring[at], MIN(head - tail, RING_SIZE - at));

	for (unsigned i = 0; i < sent; i++) queued[owner[at + i]]--;
	tail += sent;
	return sent;
}

/* With nothing to send the CPU that sends may have gone to sleep. */
static void leave(void)
{
	bool wakes = was_empty;

	was_empty = false;
	unlock(&console_lock, LOCK_CONSOLE);
	if (wakes) cpu_wake(cpus[0]);
}

static void put_byte(uint8_t id, char c)
{
	if (head - tail == RING_SIZE) { /* only the hypervisor's own lines come so far */
		serial_wait(COM1, LSR_EMPTY);
		send();
	}
	was_empty |= head == tail;
	ring[head % RING_SIZE] = c;
	owner[head % RING_SIZE] = id;
	queued[id]++;
	head++;
	if (also_e9) outb(CONSOLE_E9_PORT, (uint8_t)c);
}

/* A character of the hypervisor's or, with its line as 'ctx', of a guest's. */
static void put(void *ctx, char c)
{
	const struct console_line *line = ctx;

	if (c == '\n' && passed_on) /* the terminal is raw then */
		put_byte(0, '\r');
	put_byte(line ? line->id : 0, c);
}

static __attribute__((format(printf, 2, 3))) void put_text(struct console_line *line, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	format(put, line, text, args);
	va_end(args);
}

/* A line of its own, whatever the guest that has the terminal left there, or print_part(). */
static void begin_line(void)
{
	if (!at_left) put(NULL, '\n');
	at_left = true;
}

void print_part(const char *text, ...)
{
	va_list args;

	lock(&console_lock, LOCK_CONSOLE);
	va_start(args, text);
	format(put, NULL, text, args);
	va_end(args);
	at_left = ring[(head - 1) % RING_SIZE] == '\n';
	leave();
}

void print(const char *text, ...)
{
	va_list args;

	lock(&console_lock, LOCK_CONSOLE);
	begin_line();
	put_text(NULL, "hv: ");
	va_start(args, text);
	format(put, NULL, text, args);
	va_end(args);
	put(NULL, '\n');
	leave();
}

void console_line_open(struct console_line *line, const char *name)
{
	*line = (struct console_line){.name = name};
	for (uint8_t id = 1; id <= GUESTS; id++)
		if (!lines[id]) {
			line->id = id;
			lines[id] = line;
			return;
		}
}

void console_line_close(struct console_line *line) { lines[line->id] = NULL; }

void console_line_open_beside(struct console_line *line, struct console_line *first)
{
	*line = (struct console_line){.name = first->name, .id = first->id};
}

void console_pass_on(struct console_line *line) { passed_on = line; }

/* The first 'length' bytes of its text as a line of the console. */
static void put_guest_line(struct console_line *line, unsigned length)
{
	lock(&console_lock, LOCK_CONSOLE);
	begin_line();
	put_text(line, "%s| ", line->name);
	for (unsigned i = 0; i < length;) {
		unsigned printable = utf8_printable(line->text + i, length - i);

		if (!printable) put_text(line, "\\x%02x", line->text[i++]);
		for (; printable; printable--) put(line, (char)line->text[i++]);
	}
	put(line, '\n');
	leave();
	line->length -= length;
	memmove(line->text, line->text + length, line->length);
}

/* A full piece of a long line; a character that is not whole yet waits for the next piece. */
static void put_piece(struct console_line *line)
{
	unsigned cut = 0;

	for (unsigned n = 1; n <= 3; n++)
		if (utf8_is_prefix(line->text + line->length - n, n)) cut = n;
	put_guest_line(line, line->length - cut);
}

static void pass_byte(struct console_line *line, uint8_t byte)
{
	lock(&console_lock, LOCK_CONSOLE);
	put_byte(line->id, (char)byte);
	at_left = byte == '\n';
	leave();
}

void console_guest_byte(struct console_line *line, uint8_t byte)
{
	if (line == passed_on) {
		pass_byte(line, byte);
	} else if (byte == '\n') {
		put_guest_line(line, line->length);
	} else if (byte != '\r') {
		if (line->length == CONSOLE_LINE) put_piece(line);
		line->text[line->length++] = byte;
	}
}

void console_guest_end(struct console_line *line)
{
	if (line->length) put_guest_line(line, line->length);
}

void console_guest_age(struct console_line *line, uint64_t ticks, uint64_t limit)
{
	line->age = line->length == line->seen ? line->age + ticks : 0;
	if (line->age >= limit) console_guest_end(line);
	line->seen = line->length;
}

bool console_is_full(const struct console_line *line) { return queued[line->id] >= GUEST_SHARE; }

bool console_has_room(const struct console_line *line) { return queued[line->id] <= GUEST_SHARE / 2; }

/* Another CPU that has the lock may wait for room, and sends what is before its line: then there is nothing to do. */
void console_poll(void)
{
	uint32_t serving = __atomic_load_n(&console_lock.serving, __ATOMIC_RELAXED);
	unsigned sent;
	int byte;

	if (serving != __atomic_load_n(&console_lock.next, __ATOMIC_RELAXED)) return;
	lock(&console_lock, LOCK_CONSOLE);
	if (head != tail && rdtsc() >= next_send) {
		sent = send();
		next_send = rdtsc() + byte_ticks * MAX(sent, 1U);
	}
	while (input_head - input_tail < INPUT_SIZE && (byte = serial_receive(COM1)) >= 0)
		input[input_head++ % INPUT_SIZE] = (uint8_t)byte;
	unlock(&console_lock, LOCK_CONSOLE);
}

uint64_t console_ticks(void)
{
	uint64_t now = rdtsc();

	if (head == tail) return ~0UL;
	return next_send > now ? next_send - now : 0;
}

int console_read(void) { return input_head == input_tail ? -1 : input[input_tail++ % INPUT_SIZE]; }

void console_flush(void)
{
	while (head != tail) {
		serial_wait(COM1, LSR_EMPTY);
		send();
	}
	serial_wait(COM1, LSR_IDLE);
}
