/* SPDX-License-Identifier: MIT */
/*
 * A 16550A UART (National Semiconductor PC16550D, chapter 8) as a guest's console: the transmitter
 * is always empty, and loopback mode answers the tests by which drivers recognise the chip.
 */
#include "hv/dev/uart.h"

#include "hv/dev/devices.h"
#include "lib/bits.h"

#define IER_THRE    0x02
#define IER_LINE    0x04
#define IER_BITS    0x0f
#define IIR_NONE    0x01
#define IIR_THRE    0x02
#define IIR_RX      0x04
#define IIR_LINE    0x06
#define IIR_TIMEOUT 0x0c /* fewer bytes than the trigger level, and no more come */
#define IIR_FIFOS   0xc0
#define FCR_TRIGGER 0xc0
#define MCR_OUT1    0x04
#define MCR_LOOP    0x10
#define MCR_BITS    0x1f
#define LSR_OVERRUN 0x02
#define MSR_CTS     0x10
#define MSR_DSR     0x20
#define MSR_RI      0x40
#define MSR_CARRIER 0x80

/* As many received bytes interrupt at once; fewer by the timeout, for which nobody waits here. */
static unsigned trigger(const struct uart *uart)
{
	static const uint8_t level[] = {1, 4, 8, 14};

	return uart->reg[UART_IIR_FCR] & FCR_ENABLE ? level[FIELD(uart->reg[UART_IIR_FCR], FCR_TRIGGER)] : 1;
}

/* The interrupt of highest priority, as IIR bits 3:0 show it. */
static uint8_t pending(const struct uart *uart)
{
	if (uart->overrun && (uart->reg[UART_IER] & IER_LINE)) return IIR_LINE;
	if (uart->received && (uart->reg[UART_IER] & IER_RX))
		return uart->received >= trigger(uart) ? IIR_RX : IIR_TIMEOUT;
	if (uart->thre && (uart->reg[UART_IER] & IER_THRE)) return IIR_THRE;
	return IIR_NONE;
}

static void update_irq(struct uart *uart)
{
	bool level = pending(uart) != IIR_NONE && (uart->reg[UART_MCR] & MCR_OUT2);

	if (level == uart->irq_level) return;
	uart->irq_level = level;
	uart->board->line(uart->board->ctx, COM1_LINE, level);
}

/* Into the receiver; without FIFO it has room for one. */
static bool push(struct uart *uart, uint8_t byte)
{
	if (uart->received == (uart->reg[UART_IIR_FCR] & FCR_ENABLE ? UART_FIFO : 1)) return false;
	uart->fifo[(uart->first + uart->received++) % UART_FIFO] = byte;
	return true;
}

static uint8_t pop(struct uart *uart)
{
	uint8_t byte = uart->fifo[uart->first];

	if (!uart->received) return 0;
	uart->first = (uint8_t)((uart->first + 1) % UART_FIFO);
	uart->received--;
	return byte;
}

bool uart_receive(struct uart *uart, uint8_t byte)
{
	if (uart->reg[UART_MCR] & MCR_LOOP || !push(uart, byte)) return false;
	update_irq(uart);
	return true;
}

static void send(struct uart *uart, uint8_t byte)
{
	if (uart->reg[UART_MCR] & MCR_LOOP) {
		if (!push(uart, byte)) uart->overrun = true;
	} else {
		uart->board->console(uart->board->ctx, byte);
	}
	uart->thre = true;
}

/* Modem status: a peer that is there; in loopback mode, MCR's own outputs. */
static uint8_t modem_status(const struct uart *uart)
{
	if (!(uart->reg[UART_MCR] & MCR_LOOP)) return MSR_CTS | MSR_DSR | MSR_CARRIER;
	return (uart->reg[UART_MCR] & MCR_RTS ? MSR_CTS : 0) | (uart->reg[UART_MCR] & MCR_DTR ? MSR_DSR : 0) |
	       (uart->reg[UART_MCR] & MCR_OUT1 ? MSR_RI : 0) | (uart->reg[UART_MCR] & MCR_OUT2 ? MSR_CARRIER : 0);
}

static uint8_t read_register(struct uart *uart, unsigned offset)
{
	uint8_t value;

	switch (offset) {
	case UART_DATA: return pop(uart);
	case UART_IIR_FCR:
		value = pending(uart);
		if (value == IIR_THRE) uart->thre = false;
		return value | (uart->reg[UART_IIR_FCR] & FCR_ENABLE ? IIR_FIFOS : 0);
	case UART_LSR:
		value = LSR_EMPTY | LSR_IDLE | (uart->received ? LSR_READY : 0) | (uart->overrun ? LSR_OVERRUN : 0);
		uart->overrun = false;
		return value;
	case UART_MSR: return modem_status(uart);
	default: return uart->reg[offset];
	}
}

/* LSR and MSR are read-only. */
static void write_register(struct uart *uart, unsigned offset, uint8_t value)
{
	static const uint8_t writable[UART_REGISTERS] = {[UART_IER] = IER_BITS,
							 [UART_IIR_FCR] = UINT8_MAX,
							 [UART_LCR] = UINT8_MAX,
							 [UART_MCR] = MCR_BITS,
							 [UART_SCRATCH] = UINT8_MAX};

	/* Enabling the interrupt while the transmitter is empty raises it. */
	if (offset == UART_IER && value & ~uart->reg[UART_IER] & IER_THRE) uart->thre = true;
	/* Switching the FIFOs on or off empties them. */
	if (offset == UART_IIR_FCR && ((value ^ uart->reg[offset]) & FCR_ENABLE || value & FCR_CLEAR))
		uart->received = 0;
	if (offset == UART_DATA) send(uart, value);
	uart->reg[offset] = value & writable[offset];
}

static void access_byte(struct uart *uart, unsigned offset, bool write, uint8_t *value)
{
	if (offset <= UART_IER && (uart->reg[UART_LCR] & LCR_DLAB)) {
		if (write)
			uart->divisor[offset] = *value;
		else
			*value = uart->divisor[offset];
		return;
	}
	if (write)
		write_register(uart, offset, *value);
	else
		*value = read_register(uart, offset);
	update_irq(uart);
}

/* A wide access is cut into bytes, low port first, as the ISA bus does it. */
static void uart_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	uint64_t result = 0;

	for (unsigned i = 0; i < width; i++) {
		uint8_t byte = (uint8_t)(*value >> (8 * i));

		access_byte(device, (unsigned)offset + i, write, &byte);
		result |= (uint64_t)byte << (8 * i);
	}
	if (!write) *value = result;
}

/* Reset state. */
static void create(void *state, const struct board *board)
{
	struct uart *uart = state;

	uart->board = board;
	board->chips->uart = uart;
	bus_add(board->ports, COM1, UART_REGISTERS, uart_access, uart, board->name);
}

const struct device_row uart_device = {.name = "uart", .size = sizeof(struct uart), .create = create};
