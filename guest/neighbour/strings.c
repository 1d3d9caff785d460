// SPDX-License-Identifier: MIT
/*
 * Storms of string instructions: longer than any memory, between devices, in both directions, over addresses
 * where nothing is, and with a page fault at each page. A timer's interrupt ends those that would not.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"
#include "guest/lib/vtd.h"
#include "guest/neighbour/storms.h"

#define HUGE        (1UL << 40)
#define PATIENCE    500000 /* ticks until the interrupt ends it */
#define TESTDEV_RAM 0xff000000UL
#define TESTDEV_END 0xff00fff8UL
#define NOWHERE     0xe0000000UL
#define CMOS_DATA   0x71
#define READ_ONLY   (LAPIC_BASE + 16UL * LAPIC_ISR)

/* The instruction that is interrupted has one iteration left. */
static void cut_short(void)
{
	interrupted->rcx = 1;
	lapic_eoi();
}

static void begin(void)
{
	interrupt_handler(VECTOR, cut_short);
	lapic_enable();
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	lapic_write(LAPIC_LVT_TIMER, VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, PATIENCE);
	interrupts_on();
}

#define STRING(instruction, from, to, count)                                                                           \
	do {                                                                                                           \
		uint64_t rsi = (from), rdi = (to), rcx = (count);                                                      \
		begin();                                                                                               \
		__asm__ volatile(instruction                                                                           \
				 : "+S"(rsi), "+D"(rdi), "+c"(rcx)                                                     \
				 : "a"(0), "d"(CMOS_DATA)                                                              \
				 : "memory", "cc");                                                                    \
		interrupts_off();                                                                                      \
	} while (0)

void strings_movs(void)
{
	STRING("rep movsl", VTD_BASE, TESTDEV_RAM, HUGE);
	STRING("rep movsq", TESTDEV_RAM, VTD_BASE, HUGE);
	STRING("rep movsb", VTD_BASE + 1, TESTDEV_RAM + 3, HUGE);
	STRING("std; rep movsq; cld", VTD_BASE + PAGE_SIZE - 8, TESTDEV_END, HUGE);
	STRING("std; rep movsl; cld", TESTDEV_END, edu.bar + EDU_REGISTERS - 4, HUGE);
	STRING("rep movsl", LAPIC_BASE, TESTDEV_RAM, LAPIC_SIZE / 4);
	STRING("rep movsl", TESTDEV_RAM, READ_ONLY, 64);
	STRING("std; rep movsl; cld", TESTDEV_END, READ_ONLY + 252, 64);
}

void strings_hole(void)
{
	STRING("rep lodsq", NOWHERE, 0, HUGE);
	STRING("repne scasb", 0, NOWHERE, HUGE);
	STRING("repe cmpsq", NOWHERE, NOWHERE + 64 * MiB, HUGE);
	STRING("std; repe cmpsb; cld", NOWHERE, NOWHERE, HUGE);
	STRING("rep stosq", 0, NOWHERE, HUGE);
}

static void map_page(void) { page_set_present(read_cr2(), true); }

/* Each page of the block is fetched by a page fault, in the middle of the instruction. */
static void unmap(void)
{
	interrupt_handler(VECTOR_PF, map_page);
	for (uint64_t at = 0; at < BLOCK; at += PAGE_SIZE) page_set_present((uint64_t)block + at, false);
}

void strings_faults(void)
{
	unmap();
	STRING("rep insb", 0, (uint64_t)block, BLOCK);
	unmap();
	STRING("rep outsb", (uint64_t)block, 0, BLOCK);
	unmap();
	STRING("rep movsb", NOWHERE, (uint64_t)block, BLOCK);
	unmap();
	STRING("std; rep movsl; cld", (uint64_t)block + BLOCK - 4, TESTDEV_END + 4, BLOCK / 4);
	unmap();
	STRING("rep insl", 0, (uint64_t)block + 2, BLOCK / 4 - 1); /* one that straddles at each page */
}

void strings_nowhere(void)
{
	STRING("rep insb", 0, ROM, 8 * PAGE_SIZE);
	STRING("rep insl", 0, NOWHERE, HUGE);
	STRING("std; rep insw; cld", 0, VTD_BASE + PAGE_SIZE - 2, HUGE);
	STRING("rep outsl", NOWHERE, 0, HUGE);
}
