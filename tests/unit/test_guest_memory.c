// SPDX-License-Identifier: MIT
/*
 * A flag of a guest's descriptor, set in the CPU's place (guest_mark() in hv/vm/guest_memory.c), its C as it is,
 * without paging: other CPUs change what is beside it between every two instructions.
 */
#include "lib/asm.h"

#include "hv/vmx/vmx.h"

static uint64_t field(uint64_t number);
#define vmread(number)         field(number)
#define vmwrite(number, value) ((void)(value))
#ifndef GUEST_MEMORY_SOURCE
#define GUEST_MEMORY_SOURCE "hv/vm/guest_memory.c"
#endif
#include GUEST_MEMORY_SOURCE /* NOLINT(bugprone-suspicious-include) */

#include "tests/lib/between.h"
#include "tests/lib/fake_ram.h"
#include "tests/lib/test.h"

#define DESCRIPTOR 0x1238U
#define TYPE_BYTE  5 /* of it */
#define FLAG       1
#define COUNTS     400U /* several times what it takes */

static uint8_t bytes[2 * PAGE_SIZE] __attribute__((aligned(4096)));
static struct fake_ram ram = {.bytes = bytes, .size = sizeof(bytes)};
static struct vm vm;
static struct vcpu vcpu = {.vm = &vm};
static uint32_t looks, mmio_value;

/* Of a guest without paging. */
static uint64_t field(uint64_t number)
{
	(void)number;
	return 0;
}

/* A device is behind the RAM. NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void vm_mmio(struct vcpu *of, uint64_t gpa, unsigned width, bool write, uint64_t *value)
{
	assert_ptr_equal(of, &vcpu);
	assert_int_equal(gpa, sizeof(bytes) + 4);
	assert_int_equal(width, 4);
	if (write)
		mmio_value = (uint32_t)*value;
	else
		*value = mmio_value;
}

/* What else the C calls, but not here: a call goes to address 0. */
#pragma weak vcpu_cpl
#pragma weak vcpu_inject
#pragma weak vcpu_mode
#pragma weak vm_kill
#pragma weak guest_address_width

/* The second half of the descriptor: the byte that has the flag is its second. */
static uint32_t *second_half(void) { return (uint32_t *)(bytes + DESCRIPTOR + 4); }

/* For a while another CPU counts in the two bytes behind the flag's, as a guest that uses what is free there. */
static void another_counts(void)
{
	if (looks == COUNTS) return;
	looks++;
	*second_half() += 0x10000;
}

static void mark(bool on)
{
	looks = 0;
	between_begin(another_counts);
	(void)guest_mark(&vcpu, DESCRIPTOR + TYPE_BYTE, FLAG, on);
	between_end();
}

TEST(a_flag_is_set_and_cleared_and_nothing_beside_it_is_lost)
{
	vcpu.ram = fake_ram_flat(&ram, 0);
	*second_half() = 0x9234;
	mark(true);
	assert_int_equal(*second_half(), COUNTS << 16 | 0x9334);
	mark(false);
	assert_int_equal(*second_half(), 2 * COUNTS << 16 | 0x9234);
}

/* Of two CPUs that set it, as of two that switch to one task, the first alone hears that it was not set. */
TEST(who_comes_second_is_told)
{
	vcpu.ram = fake_ram_flat(&ram, 0);
	*second_half() = 0x9234;
	assert_int_equal(guest_mark(&vcpu, DESCRIPTOR + TYPE_BYTE, FLAG, true), 0);
	assert_int_equal(guest_mark(&vcpu, DESCRIPTOR + TYPE_BYTE, FLAG, true), 1);
	assert_int_equal(guest_mark(&vcpu, DESCRIPTOR + TYPE_BYTE, FLAG, false), 0);
	assert_int_equal(guest_mark(&vcpu, DESCRIPTOR + TYPE_BYTE, FLAG, false), 1);
	assert_int_equal(*second_half(), 0x9234);
}

TEST(a_flag_in_a_device_is_written_there)
{
	vcpu.ram = fake_ram_flat(&ram, 0);
	mmio_value = 0x9234;
	assert_int_equal(guest_mark(&vcpu, sizeof(bytes) + TYPE_BYTE, FLAG, true), 0);
	assert_int_equal(mmio_value, 0x9334);
}
