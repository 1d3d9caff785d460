/* SPDX-License-Identifier: MIT */
/*
 * QEMU's "pc-testdev", which kvm-unit-tests and kernels like them look for: ports that remember,
 * a port that makes the host forget how a page is mapped, ports that drive interrupt lines, and
 * MMIO that remembers.
 */
#ifndef HV_DEV_TESTDEV_H
#define HV_DEV_TESTDEV_H

#include "hv/dev/board.h"

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

/* Registers its ports and its MMIO. */
void testdev_create(void *state, const struct board *board);

#endif
