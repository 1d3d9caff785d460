/* SPDX-License-Identifier: MIT */
/*
 * QEMU's "pc-testdev", which kvm-unit-tests and kernels like them look for: ports that remember, a
 * port that makes the host forget how a page is mapped, ports that drive interrupt lines, and MMIO
 * that remembers. It does no DMA and is no PCI function.
 */
#include "hv/dev/devices.h"

#include "lib/string.h"

#define TESTDEV_PORT      0xe0   /* 4 bytes that are kept */
#define TESTDEV_FLUSH     0xe4   /* a guest-physical address: its page is unmapped */
#define TESTDEV_LINES     0x2000 /* + n: the level of ISA line n */
#define TESTDEV_MMIO      0xff000000ULL
#define TESTDEV_MMIO_SIZE 0x10000ULL

struct testdev {
	const struct board *board;
	uint8_t port[TESTDEV_FLUSH - TESTDEV_PORT];
	uint8_t mmio[TESTDEV_MMIO_SIZE];
};

#define PORTS 8
#define LINES 16

/* Bytes that remember, as a little-endian value. What is above 'width' the bus drops. */
static void access_bytes(void *bytes, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	void *at = (uint8_t *)bytes + offset;

	memcpy(write ? at : value, write ? value : at, width);
}

/* The four bytes that are kept, then the flush port, which cannot be read. */
static void access_ports(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct testdev *testdev = device;
	const struct board *board = testdev->board;

	if (offset + width <= sizeof(testdev->port))
		access_bytes(testdev->port, offset, width, write, value);
	else if (!write)
		*value = ~0ULL;
	else if (offset == TESTDEV_FLUSH - TESTDEV_PORT)
		board->flush(board->ctx, *value);
}

/* Any value but 0 asserts the line; the levels cannot be read. */
static void access_lines(void *device, uint64_t line, unsigned width, bool write, uint64_t *value)
{
	const struct testdev *testdev = device;
	const struct board *board = testdev->board;

	(void)width;
	if (write)
		board->line(board->ctx, (unsigned)line, *value != 0);
	else
		*value = ~0ULL;
}

static void create(void *state, const struct board *board)
{
	struct testdev *testdev = state;

	testdev->board = board;
	bus_add(board->ports, TESTDEV_PORT, PORTS, access_ports, testdev, board->name);
	bus_add(board->ports, TESTDEV_LINES, LINES, access_lines, testdev, board->name);
	bus_add(board->mmio, TESTDEV_MMIO, TESTDEV_MMIO_SIZE, access_bytes, testdev->mmio, board->name);
}

const struct device_row testdev_device = {.name = "testdev", .size = sizeof(struct testdev), .create = create};
