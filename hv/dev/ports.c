/* SPDX-License-Identifier: MIT */
/*
 * The ports that do one thing when they are written and read as one value: the exit port (0xf4, by
 * which a guest ends its VM), Bochs's and QEMU's debug console (0xe9), two of the ports by which a
 * PC is reset: reset control (0xcf9) and system control A (0x92), the keyboard controller having the
 * third, and that of a display's cursor. Each only asks its board; what becomes of the VM is not
 * decided here.
 */
#include "hv/dev/devices.h"
#include "lib/bits.h"
#include "lib/contract.h" /* EXIT_PORT */

#define DEBUG_PORT     0xe9
#define RESET_CONTROL  0xcf9
#define RESET_CPU      0x04
#define SYSTEM_CONTROL 0x92
#define A20_ON         0x02
#define FAST_RESET     0x01
#define CRT_DATA       0x3d5

struct port {
	const struct board *board;
	const struct port_row *row;
};

static void end(const struct board *board, uint64_t value) { board->exit(board->ctx, (uint32_t)value); }

static void show(const struct board *board, uint64_t value) { board->debug(board->ctx, (uint8_t)value); }

static void reset(const struct board *board, uint64_t value)
{
	if (value) board->reset(board->ctx);
}

/* The exit port is four, as QEMU's isa-debug-exit, so that a 4-byte write fits; of the others the bus lets bytes
 * through. */
static const struct port_row {
	const char *name;
	uint16_t port, size;
	uint32_t reads, hears; /* the second: bits of what is written */
	void (*write)(const struct board *board, uint64_t value);
} rows[] = {
	{"exit", EXIT_PORT, 4, ~0U, ~0U, end},
	{"debug port", DEBUG_PORT, 1, DEBUG_PORT, ~0U, show}, /* its own number tells that it is there */
	{"reset control", RESET_CONTROL, 1, 0, RESET_CPU, reset},
	{"system control", SYSTEM_CONTROL, 1, A20_ON, FAST_RESET, reset},
	/* There is none, but xv6 asks where its cursor is before it prints, and panics at ones. */
	{"display", CRT_DATA, 1, 0, 0, reset},
};

static void access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	const struct port *port = device;

	(void)width;
	if (!write)
		*value = port->row->reads;
	else if (!offset)
		port->row->write(port->board, *value & port->row->hears);
}

static void create(void *state, const struct board *board)
{
	struct port *port = state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		port[i] = (struct port){board, &rows[i]};
		bus_add(board->ports, rows[i].port, rows[i].size, access, &port[i], rows[i].name);
	}
}

const struct device_row ports_device = {
	.name = "ports", .size = sizeof(struct port[ARRAY_SIZE(rows)]), .create = create};
