/* SPDX-License-Identifier: MIT */
/*
 * What puts bytes, or zeroes, into a guest's RAM for a loader (hv/load/load.h), in one piece.
 */
#pragma once

#include <stdint.h>
#include <string.h>

static inline void load_put(uint8_t *to, const uint8_t *from, size_t size)
{
	if (from)
		memcpy(to, from, size);
	else
		memset(to, 0, size);
}
