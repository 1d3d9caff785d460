/* SPDX-License-Identifier: MIT */
/*
 * The PC's real-time clock with its CMOS memory (Motorola MC146818 datasheet; the century in
 * register 0x32, as the FADT says): ports 0x70 and 0x71. It follows the board's clock, and never
 * interrupts.
 */
#ifndef HV_DEV_RTC_H
#define HV_DEV_RTC_H

#include <stdint.h>

#include "hv/dev/board.h"

#define RTC_CENTURY 0x32
#define RTC_SIZE    128

struct rtc {
	const struct board *board;
	uint8_t index;
	uint8_t memory[RTC_SIZE];
	int64_t offset; /* seconds, of its time from the board's */
};

void rtc_create(void *state, const struct board *board);

#endif
