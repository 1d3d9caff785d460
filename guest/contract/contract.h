/* SPDX-License-Identifier: MIT */
/* The parts of the image that have files of their own; contract.c calls them. */
#pragma once

#include <stdint.h>

#define BIOS_DATA_END 0x500UL   /* from 0: vectors and data that firmware leaves */
#define HOLE          0xa0000UL /* up to 1 MiB: no RAM */

/* Address 0, which a compiler that could see it would not have accessed. */
static inline uint64_t page_0(void)
{
	uint64_t address = 0;

	__asm__("" : "+r"(address));
	return address;
}

/* RAM of 'size' bytes lies where it belongs, and nothing beyond it is. */
void check_memory(uint64_t size);
/* There are this many edu devices, set up as firmware would, and their DMA goes where it may. */
void check_pci(unsigned devices);
