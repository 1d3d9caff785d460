/* SPDX-License-Identifier: MIT */
/* hv/dev/lapic_route.c: for whom an IPI or a message is. */

#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/lapic_route.h"

#define TPR 0x80
#define LDR 0xd0
#define DFR 0xe0
#define SVR 0xf0

#define FOUR      0xfU
#define TO_ALL    0x80000U
#define TO_OTHERS 0xc0000U
#define LOGICAL   0x800U
#define LOWEST    0x100U

static struct lapic lapic[4];
static struct lapic_set set;

static void send(void *ctx, uint64_t icr)
{
	(void)ctx, (void)icr;
	fail();
}

static void write(unsigned cpu, uint64_t offset, uint32_t data)
{
	uint64_t value = data;

	lapic_access(&lapic[cpu], offset, 4, true, &value);
}

/* Four CPUs with flat logical ids. */
static void four_cpus(void)
{
	const struct lapic_host host = {.ipi = send};

	memset(lapic, 0, sizeof(lapic));
	set = (struct lapic_set){.count = 4};
	for (unsigned i = 0; i < 4; i++) {
		lapic_init(&lapic[i], (uint8_t)i, &host);
		write(i, LDR, 1U << (24 + i));
		set.lapic[i] = &lapic[i];
	}
}

static uint64_t to(uint8_t destination, uint32_t command) { return (uint64_t)destination << 32 | command; }

TEST(a_physical_destination_is_one_cpu_or_all)
{
	four_cpus();
	assert_int_equal(lapic_route_ipi(&set, 0, to(2, 0x41)), 1 << 2);
	assert_int_equal(lapic_route_ipi(&set, 0, to(9, 0x41)), 0);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, 0x41)), FOUR);
	assert_int_equal(lapic_route_message(&set, 0xfee03000, 0x41), 1 << 3);
}

TEST(a_flat_logical_destination_is_a_bit_per_cpu)
{
	four_cpus();
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xa, LOGICAL | 0x41)), 0xa);
	assert_int_equal(lapic_route_message(&set, 0xfee06004, 0x41), 0x6);
}

TEST(a_cluster_destination_names_a_cluster_and_bits_in_it)
{
	four_cpus();
	for (unsigned i = 0; i < 4; i++) {
		write(i, DFR, 0x0fffffff);
		write(i, LDR, (i / 2 << 4 | 1U << i % 2) << 24);
	}
	assert_int_equal(lapic_route_ipi(&set, 0, to(0x13, LOGICAL | 0x41)), 0xc);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0x02, LOGICAL | 0x41)), 0x2);
}

TEST(shorthands_name_self_all_or_others_whatever_the_destination)
{
	four_cpus();
	assert_int_equal(lapic_route_ipi(&set, 2, to(1, 0x40000 | 0x41)), 1 << 2);
	assert_int_equal(lapic_route_ipi(&set, 2, to(1, TO_ALL | 0x41)), FOUR);
	assert_int_equal(lapic_route_ipi(&set, 2, to(1, TO_OTHERS | 0x41)), 0xb);
}

TEST(all_are_32_ones_in_x2apic_mode_and_8_are_an_id)
{
	four_cpus();
	for (unsigned i = 0; i < 4; i++) lapic_set_x2apic(&lapic[i], true);
	assert_int_equal(lapic_route_ipi(&set, 0, 0xffffffffULL << 32 | 0x41), FOUR);
	assert_int_equal(lapic_route_ipi(&set, 0, 0xffffffffULL << 32 | LOGICAL | 0x41), FOUR);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, 0x41)), 0);
	assert_int_equal(lapic_route_ipi(&set, 0, to(2, 0x41)), 1 << 2);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xa, LOGICAL | 0x41)), 0xa);             /* cluster 0 */
	assert_int_equal(lapic_route_ipi(&set, 0, 0x1000aULL << 32 | LOGICAL | 0x41), 0);     /* cluster 1 */
	assert_int_equal(lapic_route_message(&set, 0xfeeff000, 0x41), FOUR);                  /* a message's 8 bits */
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xe, LOGICAL | LOWEST | 0x81)), 1 << 1); /* one of them */
}

TEST(some_in_x2apic_mode_and_some_not_are_reached_by_their_ids)
{
	four_cpus();
	lapic_set_x2apic(&lapic[1], true);
	lapic_set_x2apic(&lapic[3], true);
	for (unsigned from = 0; from < 4; from++)
		for (uint8_t id = 0; id < 4; id++) assert_int_equal(lapic_route_ipi(&set, from, to(id, 0x41)), 1 << id);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, 0x41)), FOUR);
	assert_int_equal(lapic_route_ipi(&set, 1, 0xffffffffULL << 32 | 0x41), FOUR);
	assert_int_equal(lapic_route_ipi(&set, 1, TO_OTHERS | 0x41), 0xd);
}

TEST(who_is_switched_off_gets_none)
{
	four_cpus();
	set.off = 1 << 2;
	assert_int_equal(lapic_route_ipi(&set, 0, to(2, 0x41)), 0);
	assert_int_equal(lapic_route_ipi(&set, 0, TO_ALL | 0x400), FOUR & ~(1U << 2));
	assert_int_equal(lapic_route_message(&set, 0xfeeff000, 0x41), FOUR & ~(1U << 2));
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xc, LOGICAL | LOWEST | 0x81)), 1 << 3);
}

TEST(lowest_priority_goes_to_the_least_busy)
{
	four_cpus();
	write(0, TPR, 0x40);
	write(1, TPR, 0x30);
	write(2, TPR, 0x10);
	write(3, TPR, 0x20);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, LOWEST | 0x81)), 1 << 2);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xb, LOGICAL | LOWEST | 0x81)), 1 << 3);
	assert_int_equal(lapic_route_message(&set, 0xfeeff000, LOWEST | 0x81), 1 << 2);
	write(2, SVR, 0xff); /* off: it would drop it */
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, LOWEST | 0x81)), 1 << 3);
}

TEST(among_equals_they_take_turns)
{
	four_cpus();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, LOWEST | 0x81)), 1U << i % 4);
}

TEST(none_that_is_on_gets_none)
{
	four_cpus();
	for (unsigned i = 0; i < 4; i++) write(i, SVR, 0xff);
	assert_int_equal(lapic_route_ipi(&set, 0, to(0xff, LOWEST | 0x81)), 0);
}
