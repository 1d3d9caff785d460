// SPDX-License-Identifier: MIT
/*
 * The host's local APIC (hv/machine/apic.c), its C as it is, with the registers here: how a command is sent in either
 * mode. An engine that executes in order shows none of this.
 */
#include <string.h>

#include "lib/asm.h"

static uint64_t read_msr(uint32_t msr);
static void write_msr(uint32_t msr, uint64_t value);
static void fence(void);
static void wait_a_little(void);
#define rdmsr         read_msr
#define wrmsr         write_msr
#define mfence_lfence fence
#define cpu_pause     wait_a_little
#ifndef APIC_SOURCE
#define APIC_SOURCE "hv/machine/apic.c"
#endif
#include APIC_SOURCE /* NOLINT(bugprone-suspicious-include) */

#include "tests/lib/test.h"

#define ICR_LOW  (LAPIC_ICR_LOW * 4) /* in words */
#define ICR_HIGH (LAPIC_ICR_HIGH * 4)

static uint32_t page[LAPIC_SIZE / 4] __attribute__((aligned(4096)));
static uint64_t apic_base_msr, command;
static unsigned commands, pauses;
static bool fenced;

static uint64_t read_msr(uint32_t msr)
{
	assert_int_equal(msr, MSR_IA32_APIC_BASE);
	return apic_base_msr;
}

static void write_msr(uint32_t msr, uint64_t value)
{
	if (msr == X2APIC_MSR(LAPIC_ICR_LOW)) {
		assert_true(fenced);
		command = value;
		commands++;
	}
	fenced = false; /* the next command is behind other stores */
}

static void fence(void) { fenced = true; }

static void wait_a_little(void)
{
	assert_int_equal(page[ICR_HIGH], 0);
	if (++pauses == 3) page[ICR_LOW] = 0;
}

static void begin_with(uint64_t mode)
{
	memset(page, 0, sizeof(page));
	commands = pauses = 0;
	fenced = false;
	apic_base_msr = (uintptr_t)page | mode;
	apic_init(true);
}

TEST(in_x2apic_mode_all_stores_come_before_a_command)
{
	begin_with(APIC_BASE_EXTD);
	apic_send_nmi(0x12345);
	assert_int_equal(command, 0x12345ULL << 32 | 0x4400);
	apic_send_nmi_others();
	assert_int_equal(command, 0xc4400);
	apic_send_init(3);
	assert_int_equal(command, 3ULL << 32 | 0x4500);
	apic_send_startup(3, 0x9f);
	assert_int_equal(command, 3ULL << 32 | 0x469f);
	assert_int_equal(commands, 4);
}

TEST(in_memory_a_command_waits_until_the_one_before_has_left)
{
	begin_with(0);
	page[ICR_LOW] = COMMAND_PENDING;
	apic_send_nmi(5);
	assert_int_equal(pauses, 3);
	assert_int_equal(page[ICR_HIGH], 5U << 24);
	assert_int_equal(page[ICR_LOW], 0x4400);
	assert_int_equal(commands, 0);
}
