/* SPDX-License-Identifier: MIT */
/*
 * The type of one page by the MTRRs, straight from the SDM's sentences (3A 12.11.2 to 12.11.4.1),
 * one page at a time and with no cleverness: the reference that ept/mtrr.c is compared with.
 * It shares no code with it.
 */
#pragma once

#include "ept/mtrr.h"

/* The sub-ranges of the fixed registers, as the SDM's table 12-9 lists them. */
static const struct slow_fixed {
	uint32_t start, sub_range;
} slow_fixed[11] = {
	{0x00000, 0x10000}, {0x80000, 0x4000}, {0xa0000, 0x4000}, {0xc0000, 0x1000},
	{0xc8000, 0x1000},  {0xd0000, 0x1000}, {0xd8000, 0x1000}, {0xe0000, 0x1000},
	{0xe8000, 0x1000},  {0xf0000, 0x1000}, {0xf8000, 0x1000},
};

static inline unsigned slow_mtrr_type(const struct mtrr *m, uint64_t gpa)
{
	int type = -1;

	if (!(m->def_type & 0x800)) return 0;
	if ((m->def_type & 0x400) && gpa < 0x100000) {
		for (unsigned r = 0; r < 11; r++) {
			for (unsigned i = 0; i < 8; i++) {
				uint64_t start = slow_fixed[r].start + i * slow_fixed[r].sub_range;

				if (gpa >= start && gpa < start + slow_fixed[r].sub_range)
					return (m->fixed[r] >> (i * 8)) & 0xff;
			}
		}
	}
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		uint64_t bits = ((1ULL << m->address_width) - 1) & ~0xfffULL;
		int mine = (int)(m->base[n] & 0xff);

		if (!(m->mask[n] & 0x800) || gpa >> m->address_width) continue;
		if ((gpa & m->mask[n] & bits) != (m->base[n] & m->mask[n] & bits)) continue;
		if (type == -1 || type == mine)
			type = mine;
		else if ((type == 4 && mine == 6) || (type == 6 && mine == 4))
			type = 4;
		else
			type = 0;
	}
	return type == -1 ? m->def_type & 0xff : (unsigned)type;
}
