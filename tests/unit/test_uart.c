/* SPDX-License-Identifier: MIT */
/* hv/dev/uart.c: what drivers and small kernels do to a 16550A. */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/devices.h"
#include "hv/dev/uart.h"

struct fixture {
	struct bus ports;
	struct board board;
	struct chipset chips;
	struct uart uart;
	char sent[16];
	unsigned length;
	bool irq;
};

static void put(void *ctx, uint8_t byte)
{
	struct fixture *f = ctx;

	f->sent[f->length++ % sizeof(f->sent)] = (char)byte;
}

static void irq(void *ctx, unsigned line, bool level)
{
	struct fixture *f = ctx;

	assert_int_equal(line, 4);
	assert_int_not_equal(f->irq, level);
	f->irq = level;
}

static void set_up(struct fixture *f)
{
	*f = (struct fixture){0};
	f->board = (struct board){.ports = &f->ports, .chips = &f->chips, .ctx = f, .console = put, .line = irq};
	uart_device.create(&f->uart, &f->board);
}

static void out(struct fixture *f, unsigned offset, uint8_t byte)
{
	uint64_t value = byte;

	assert_true(bus_do(&f->ports, COM1 + offset, 1, true, &value));
}

static uint64_t in(struct fixture *f, unsigned offset)
{
	uint64_t value = 0;

	assert_true(bus_do(&f->ports, COM1 + offset, 1, false, &value));
	return value;
}

TEST(bytes_sent_arrive_and_the_transmitter_is_always_empty)
{
	struct fixture f;

	set_up(&f);
	assert_int_equal(in(&f, 5), 0x60);
	out(&f, 0, 'o');
	out(&f, 0, 'k');
	assert_int_equal(in(&f, 5), 0x60);
	assert_int_equal(f.length, 2);
	assert_memory_equal(f.sent, "ok", 2);
}

TEST(the_divisor_latch_hides_data_and_ier)
{
	struct fixture f;

	set_up(&f);
	out(&f, 1, 0x01);
	out(&f, 3, 0x80);
	out(&f, 0, 0x34);
	out(&f, 1, 0x12);
	assert_int_equal(in(&f, 0), 0x34);
	assert_int_equal(in(&f, 1), 0x12);
	out(&f, 3, 0x03);
	assert_int_equal(f.length, 0);
	assert_int_equal(in(&f, 1), 0x01);
	assert_int_equal(in(&f, 0), 0);
}

TEST(a_16550a_shows_its_fifos_and_scratch)
{
	struct fixture f;

	set_up(&f);
	assert_int_equal(in(&f, 2), 0x01);
	out(&f, 2, 0x01);
	assert_int_equal(in(&f, 2), 0xc1);
	out(&f, 7, 0xa5);
	assert_int_equal(in(&f, 7), 0xa5);
	out(&f, 1, 0xff);
	assert_int_equal(in(&f, 1), 0x0f);
}

TEST(loopback_returns_bytes_and_modem_lines_and_sends_nothing)
{
	struct fixture f;

	set_up(&f);
	assert_int_equal(in(&f, 6), 0xb0);
	out(&f, 4, 0x1a); /* loop, OUT2, RTS: what Linux's detection writes */
	assert_int_equal(in(&f, 6) & 0xf0, 0x90);
	out(&f, 0, 0xae);
	assert_int_equal(in(&f, 5), 0x61);
	assert_int_equal(in(&f, 0), 0xae);
	assert_int_equal(in(&f, 5), 0x60);
	assert_int_equal(f.length, 0);
}

TEST(the_empty_transmitter_interrupts_until_iir_is_read)
{
	struct fixture f;

	set_up(&f);
	out(&f, 4, 0x08);
	out(&f, 1, 0x02);
	assert_true(f.irq);
	assert_int_equal(in(&f, 2), 0x02);
	assert_false(f.irq);
	assert_int_equal(in(&f, 2), 0x01);
	out(&f, 0, 'x');
	assert_true(f.irq);
	out(&f, 1, 0);
	assert_false(f.irq);
}

static void feed(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) assert_true(uart_receive(&f->uart, (uint8_t)('a' + i)));
}

TEST(typed_bytes_wait_in_the_fifo_in_their_order)
{
	struct fixture f;

	set_up(&f);
	out(&f, 2, 0x01);
	for (unsigned round = 0; round < 3; round++) {
		feed(&f, 16);
		assert_false(uart_receive(&f.uart, 'z'));
		for (unsigned i = 0; i < 16; i++) {
			assert_int_equal(in(&f, 5), 0x61);
			assert_int_equal(in(&f, 0), 'a' + i);
		}
		assert_int_equal(in(&f, 5), 0x60);
	}
}

TEST(without_fifo_the_receiver_holds_one_byte)
{
	struct fixture f;

	set_up(&f);
	feed(&f, 1);
	assert_false(uart_receive(&f.uart, 'b'));
	assert_int_equal(in(&f, 0), 'a');
	assert_true(uart_receive(&f.uart, 'b'));
}

TEST(received_bytes_interrupt_until_they_are_read)
{
	struct fixture f;

	set_up(&f);
	out(&f, 4, 0x08);
	out(&f, 2, 0x41); /* FIFO, trigger at four */
	feed(&f, 1);
	assert_false(f.irq);
	out(&f, 1, 0x01);
	assert_true(f.irq);
	assert_int_equal(in(&f, 2), 0xcc); /* fewer than the level */
	feed(&f, 3);
	assert_int_equal(in(&f, 2), 0xc4);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(f.irq);
		in(&f, 0);
	}
	assert_false(f.irq);
	assert_int_equal(in(&f, 2), 0xc1);
}

TEST(the_fifo_is_emptied_on_request_and_when_it_is_switched)
{
	static const uint8_t fcr[] = {0x03, 0x00};
	struct fixture f;

	for (unsigned i = 0; i < 2; i++) {
		set_up(&f);
		out(&f, 2, 0x01);
		feed(&f, 5);
		out(&f, 2, fcr[i]);
		assert_int_equal(in(&f, 5), 0x60);
	}
}

TEST(in_loopback_mode_nothing_is_heard_and_an_overrun_is_told_once)
{
	struct fixture f;

	set_up(&f);
	out(&f, 4, 0x18);
	out(&f, 1, 0x04);
	assert_false(uart_receive(&f.uart, 'a'));
	out(&f, 0, 'x');
	assert_false(f.irq);
	out(&f, 0, 'y');
	assert_true(f.irq);
	assert_int_equal(in(&f, 2), 0x06);
	assert_int_equal(in(&f, 5), 0x63);
	assert_false(f.irq);
	assert_int_equal(in(&f, 5), 0x61);
	assert_int_equal(in(&f, 0), 'x');
}

TEST(out2_gates_the_interrupt_line)
{
	struct fixture f;

	set_up(&f);
	out(&f, 1, 0x02);
	assert_false(f.irq);
	out(&f, 4, 0x08);
	assert_true(f.irq);
}

TEST(a_wide_write_is_cut_into_ports)
{
	struct fixture f;
	uint64_t value = 0x0341;

	set_up(&f);
	assert_true(bus_do(&f.ports, COM1, 2, true, &value));
	assert_int_equal(f.length, 1);
	assert_int_equal(f.sent[0], 'A');
	assert_int_equal(in(&f, 1), 3);
	value = 0;
	assert_true(bus_do(&f.ports, COM1, 2, false, &value));
	assert_int_equal(value, 0x0300);
}
