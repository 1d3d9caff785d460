/* SPDX-License-Identifier: MIT */
/* hv/dev/lapic.c in x2APIC mode: its registers as MSRs, and names of 32 bits. */

#include "tests/lib/test.h"
#include "tests/lib/between.h"
#include "tests/lib/lapic_fixture.h"
#include "tests/lib/one_lapic.h"
#include "lib/bits.h"
#include "lib/errno.h"

#define MSR(number) ((number)-0x800)

static uint64_t get_msr(struct fixture *f, unsigned msr)
{
	uint64_t value = 0;

	assert_int_equal(lapic_read_msr(&f->lapic, MSR(msr), &value), 0);
	return value;
}

static void set_msr(struct fixture *f, unsigned msr, uint64_t value)
{
	if (lapic_write_msr(&f->lapic, MSR(msr), value)) fail_msg("WRMSR 0x%x, 0x%lx", msr, value);
}

static struct fixture *set_up_x2apic(uint8_t id)
{
	struct fixture *f = lapic_begin(id);

	lapic_set_x2apic(&f->lapic, true);
	return f;
}

TEST(x2apic_has_a_wide_id_and_a_logical_one_of_it)
{
	struct fixture *f = set_up_x2apic(0x1d);

	assert_int_equal(get_msr(f, 0x802), 0x1d);
	assert_int_equal(get_msr(f, 0x80d), 0x0001 << 16 | 1 << 0xd);
	assert_int_equal(get_msr(f, 0x80f), 0x1ff); /* what it was stays */
	lapic_set_x2apic(&f->lapic, false);
	assert_int_equal(get(f, 0x20), 0x1d000000);
}

/* SDM 3A table 11-6, and 11.12.1.3: what raises #GP. */
TEST(x2apic_registers_are_there_for_what_the_table_says)
{
	static const unsigned readable[][2] = {{0x802, 0x803}, {0x808, 0x808}, {0x80a, 0x80a}, {0x80d, 0x80d},
					       {0x80f, 0x828}, {0x830, 0x830}, {0x832, 0x839}, {0x83e, 0x83e}};
	static const unsigned writable[][2] = {{0x808, 0x808}, {0x80b, 0x80b}, {0x80f, 0x80f},
					       {0x828, 0x828}, {0x832, 0x838}, {0x83e, 0x83e}};
	struct fixture *f = set_up_x2apic(1);
	uint64_t value;

	for (unsigned msr = 0x800; msr < 0x840; msr++) {
		bool reads = false, writes = msr == 0x830 || msr == 0x83f; /* 0 would be an illegal vector there */

		for (unsigned i = 0; i < 8; i++) reads |= msr >= readable[i][0] && msr <= readable[i][1];
		for (unsigned i = 0; i < 6; i++) writes |= msr >= writable[i][0] && msr <= writable[i][1];
		assert_int_equal(lapic_read_msr(&f->lapic, MSR(msr), &value), reads ? 0 : -EINVAL);
		assert_int_equal(lapic_write_msr(&f->lapic, MSR(msr), msr == 0x830 || msr == 0x83f ? 0x44 : 0),
				 writes ? 0 : -EINVAL);
		assert_int_equal(lapic_write_msr(&f->lapic, MSR(msr), BIT(31) | BIT(20)), msr == 0x838 ? 0 : -EINVAL);
	}
	assert_int_equal(lapic_write_msr(&f->lapic, MSR(0x80b), 1), -EINVAL);
	assert_int_equal(lapic_write_msr(&f->lapic, MSR(0x828), 1), -EINVAL);
	assert_int_equal(lapic_write_msr(&f->lapic, MSR(0x808), 0x100), -EINVAL);
	assert_int_equal(lapic_write_msr(&f->lapic, MSR(0x838), BIT(32)), -EINVAL);
	set_msr(f, 0x80f, 0x1ff);
	set_msr(f, 0x835, 0x5700); /* read-only bits, as Linux writes them when it ends */
	assert_int_equal(get_msr(f, 0x835), 0x0700);
	lapic_set_x2apic(&f->lapic, false);
	assert_int_equal(lapic_read_msr(&f->lapic, MSR(0x802), &value), -EINVAL);
	assert_int_equal(lapic_write_msr(&f->lapic, MSR(0x80b), 0), -EINVAL);
}

TEST(the_self_ipi_register_is_a_vector_for_this_cpu)
{
	struct fixture *f = set_up_x2apic(1);

	set_msr(f, 0x83f, 0x41);
	assert_int_equal(lapic_pending(&f->lapic), 0x41);
	assert_int_equal(f->ipis, 0);
	lapic_accept(&f->lapic, 0x41);
	assert_int_equal(get_msr(f, 0x812), 2); /* ISR, vectors 0x40 to 0x5f */
	set_msr(f, 0x80b, 0);
	assert_int_equal(get_msr(f, 0x812), 0);
}

TEST(a_self_ipi_of_an_illegal_vector_is_sent_and_received_in_error)
{
	struct fixture *f = set_up_x2apic(1);

	set_msr(f, 0x83f, 0x0f);
	set_msr(f, 0x828, 0);
	assert_int_equal(get_msr(f, 0x828), 0x60);
	assert_int_equal(lapic_pending(&f->lapic), -1);
}

TEST(the_x2apic_command_register_is_written_at_once)
{
	struct fixture *f = set_up_x2apic(1);

	set_msr(f, 0x830, 0x12345678ULL << 32 | 0x61);
	assert_int_equal(get_msr(f, 0x830), 0x12345678ULL << 32 | 0x61);
	assert_int_equal(f->icr, 0x12345678ULL << 32 | 0x61);
	set_msr(f, 0x830, 1 << 18 | 0x51); /* to itself */
	assert_int_equal(lapic_pending(&f->lapic), 0x51);
	assert_int_equal(f->ipis, 1);
}

TEST(x2apic_destinations_have_32_bits)
{
	const struct fixture *f = set_up_x2apic(0x13);

	assert_true(lapic_is_destination(&f->lapic, 0x13, false));
	assert_true(lapic_is_destination(&f->lapic, 0xff, false));
	assert_true(lapic_is_destination(&f->lapic, 0xffffffff, false));
	assert_true(lapic_is_destination(&f->lapic, 0xffffffff, true));
	assert_false(lapic_is_destination(&f->lapic, 0x113, false));
	assert_true(lapic_is_destination(&f->lapic, 0x10008, true)); /* cluster 1, its bit */
	assert_false(lapic_is_destination(&f->lapic, 0x1fff7, true));
	assert_false(lapic_is_destination(&f->lapic, 0x20008, true));
	assert_false(lapic_is_destination(&f->lapic, 0x000ff, true)); /* half of cluster 0 */
}

TEST(an_init_keeps_x2apic_mode)
{
	struct fixture *f = set_up_x2apic(0x13);

	set_msr(f, 0x808, 0x20);
	lapic_reset(&f->lapic);
	assert_int_equal(get_msr(f, 0x802), 0x13);
	assert_int_equal(get_msr(f, 0x80d), 1 << 16 | 1 << 3);
	assert_int_equal(get_msr(f, 0x808), 0);
}

TEST(a_remapped_message_has_a_destination_of_32_bits)
{
	struct fixture *f = set_up_x2apic(0x13);

	lapic_message(&f->lapic, 0xfee13000 | 1ULL << 40, 0x55); /* to 0x113 */
	assert_int_equal(lapic_pending(&f->lapic), -1);
	lapic_message(&f->lapic, 0xfee08004 | 0x100ULL << 40, 0x56); /* logical 0x10008: cluster 1, CPU 3 */
	assert_int_equal(lapic_pending(&f->lapic), 0x56);
	lapic_message(&f->lapic, 0xfee13000, 0x66);
	assert_int_equal(lapic_pending(&f->lapic), 0x66);
	lapic_message(&f->lapic, 0xfeeff000, 0x76); /* 8 bits of ones are everybody */
	assert_int_equal(lapic_pending(&f->lapic), 0x76);
}

static struct fixture *changing;

static void is_named_by_its_id(void) { assert_true(lapic_is_destination(&changing->lapic, 0x1d, false)); }

/* Who sends an interrupt on another CPU holds no lock of this one's. */
TEST(on_the_way_to_x2apic_mode_and_back_no_interrupt_is_lost)
{
	changing = lapic_begin(0x1d);
	between_begin(is_named_by_its_id);
	lapic_set_x2apic(&changing->lapic, true);
	lapic_reset(&changing->lapic);
	lapic_set_x2apic(&changing->lapic, false);
	assert_true(between_end() > 30);
}
