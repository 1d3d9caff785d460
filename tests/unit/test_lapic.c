/* SPDX-License-Identifier: MIT */
/* hv/dev/lapic.c: acceptance, priority, messages, IPIs, errors and the timer. */

#include "tests/lib/test.h"
#include "tests/lib/lapic_fixture.h"
#include "hv/dev/timers.h"
#include "tests/lib/one_lapic.h"

TEST(firmware_leaves_it_enabled_with_lint0_as_extint)
{
	struct fixture *f = lapic_begin(3);

	assert_int_equal(get(f, 0x20), 3U << 24);
	assert_int_equal(get(f, 0x30), 0x00050014);
	assert_int_equal(get(f, 0xf0), 0x1ff);
	assert_int_equal(get(f, 0x350), 0x8700);
	assert_int_equal(get(f, 0x360), 0x8400);
	assert_int_equal(get(f, 0x320), 0x10000);
	assert_int_equal(get(f, 0xe0), 0xffffffff);
	assert_true(lapic_takes_extint(&f->lapic));
	assert_int_equal(lapic_pending(&f->lapic), -1);
}

TEST(the_highest_vector_is_delivered_first)
{
	struct fixture *f = lapic_begin(0);

	send(f, 0x31);
	send(f, 0xe5);
	send(f, 0x75);
	send(f, 0x75); /* one bit holds one interrupt */
	assert_int_equal(get(f, 0x200 + 0x70), 1U << 5);
	assert_int_equal(lapic_pending(&f->lapic), 0xe5);
	lapic_accept(&f->lapic, 0xe5);
	assert_int_equal(get(f, 0x200 + 0x70), 0);
	assert_int_equal(get(f, 0x100 + 0x70), 1U << 5);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	set(f, 0xb0, 0);
	assert_int_equal(lapic_pending(&f->lapic), 0x75);
	lapic_accept(&f->lapic, 0x75);
	set(f, 0xb0, 0);
	lapic_accept(&f->lapic, 0x31);
	set(f, 0xb0, 0);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	assert_int_equal(f->eois, 0);
}

TEST(a_higher_class_interrupts_a_service_an_equal_one_waits)
{
	struct fixture *f = lapic_begin(0);

	send(f, 0x51);
	lapic_accept(&f->lapic, 0x51);
	assert_int_equal(get(f, 0xa0), 0x50);
	send(f, 0x5f);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	send(f, 0x60);
	assert_int_equal(lapic_pending(&f->lapic), 0x60);
	lapic_accept(&f->lapic, 0x60);
	set(f, 0xb0, 0); /* ends 0x60, the highest in service */
	assert_int_equal(get(f, 0x100 + 0x20), 1U << 0x11);
}

TEST(task_priority_holds_back_its_class_and_below)
{
	struct fixture *f = lapic_begin(0);

	send(f, 0x4f);
	set(f, 0x80, 0x40);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	assert_int_equal(get(f, 0xa0), 0x40);
	assert_int_equal(lapic_cr8(&f->lapic), 4);
	lapic_set_cr8(&f->lapic, 3);
	assert_int_equal(get(f, 0x80), 0x30);
	assert_int_equal(lapic_pending(&f->lapic), 0x4f);
	lapic_accept(&f->lapic, 0x4f);
	assert_int_equal(get(f, 0xa0), 0x40); /* the higher of task and service */
	set(f, 0x80, 0x72);
	assert_int_equal(get(f, 0xa0), 0x72);
}

TEST(only_level_triggered_vectors_are_broadcast_at_eoi)
{
	struct fixture *f = lapic_begin(0);

	lapic_message(&f->lapic, 0xfee00000, 0xc041);
	assert_int_equal(get(f, 0x180 + 0x20), 1U << 1);
	lapic_accept(&f->lapic, 0x41);
	set(f, 0xb0, 0);
	assert_int_equal(f->eois, 1);
	assert_int_equal(f->eoi_vector, 0x41);
	send(f, 0x41); /* now as an edge */
	assert_int_equal(get(f, 0x180 + 0x20), 0);
	lapic_accept(&f->lapic, 0x41);
	set(f, 0xb0, 0);
	set(f, 0xb0, 0); /* nothing in service */
	assert_int_equal(f->eois, 1);
}

static bool reaches(struct fixture *f, uint64_t address)
{
	bool taken;

	lapic_message(&f->lapic, address, 0x55);
	taken = lapic_pending(&f->lapic) == 0x55;
	if (taken) {
		lapic_accept(&f->lapic, 0x55);
		set(f, 0xb0, 0);
	}
	return taken;
}

TEST(messages_reach_their_destination_only)
{
	struct fixture *f = lapic_begin(2);

	assert_true(reaches(f, 0xfee02000));
	assert_false(reaches(f, 0xfee01000));
	assert_true(reaches(f, 0xfeeff000));
	set(f, 0xd0, 0x04000000); /* flat */
	assert_true(reaches(f, 0xfee06004));
	assert_false(reaches(f, 0xfee03004));
	set(f, 0xe0, 0x0fffffff); /* cluster */
	set(f, 0xd0, 0x24000000);
	assert_true(reaches(f, 0xfee26004));
	assert_false(reaches(f, 0xfee36004));
	assert_false(reaches(f, 0xfee23004));
}

TEST(delivery_modes_other_than_fixed_set_no_vector)
{
	struct fixture *f = lapic_begin(0);

	lapic_message(&f->lapic, 0xfee00000, 0x141); /* lowest priority */
	assert_int_equal(lapic_pending(&f->lapic), 0x41);
	lapic_message(&f->lapic, 0xfee00000, 0x451); /* NMI */
	assert_int_equal(f->nmis, 1);
	lapic_message(&f->lapic, 0xfee00000, 0x251); /* SMI */
	lapic_message(&f->lapic, 0xfee00000, 0x551); /* INIT */
	lapic_message(&f->lapic, 0xfee00000, 0x751); /* ExtINT */
	assert_int_equal(lapic_pending(&f->lapic), 0x41);
}

TEST(software_disabled_it_masks_lvts_and_takes_nothing)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x320, 0x40);
	set(f, 0xf0, 0xff);
	assert_int_equal(get(f, 0x320), 0x10040);
	set(f, 0x320, 0x40); /* the mask cannot be cleared now */
	assert_int_equal(get(f, 0x320), 0x10040);
	send(f, 0x41);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	assert_false(lapic_takes_extint(&f->lapic));
	set(f, 0xf0, 0x1ff);
	assert_false(lapic_takes_extint(&f->lapic)); /* LINT0 was masked with the others */
	set(f, 0x350, 0x700);
	assert_true(lapic_takes_extint(&f->lapic));
}

TEST(an_ipi_to_itself_is_taken_and_others_are_sent)
{
	struct fixture *f = lapic_begin(1);

	set(f, 0x300, 0x4c041); /* self; an edge, whatever the trigger bit says */
	assert_int_equal(lapic_pending(&f->lapic), 0x41);
	assert_int_equal(get(f, 0x180 + 0x20), 0);
	assert_int_equal(f->ipis, 0);
	set(f, 0x310, 2U << 24);
	set(f, 0x300, 0x8c051); /* all: who that is, and that it is itself too, others say */
	assert_int_equal(lapic_pending(&f->lapic), 0x41);
	assert_int_equal(f->ipis, 1);
	assert_int_equal(f->icr, 2ULL << 32 | 0x84051); /* the trigger bit is gone */
	assert_int_equal(get(f, 0x300), 0x8c051);
	set(f, 0x300, 0xc500);
	assert_int_equal(f->icr, 2ULL << 32 | 0x4500);
	assert_int_equal(f->ipis, 2);
	set(f, 0x300, 0x8500); /* but it tells an INIT from its de-assertion, which does nothing */
	assert_int_equal(f->ipis, 2);
}

TEST(an_init_leaves_the_id_and_nothing_else)
{
	struct fixture *f = lapic_begin(3);

	set(f, 0x80, 0x20);
	set(f, 0xd0, 0x04000000);
	set(f, 0x380, 1000);
	send(f, 0x41);
	lapic_reset(&f->lapic);
	assert_int_equal(get(f, 0x20), 3U << 24);
	assert_int_equal(get(f, 0x80), 0);
	assert_int_equal(get(f, 0xd0), 0);
	assert_int_equal(get(f, 0xf0), 0xff);
	assert_int_equal(get(f, 0x350), 0x10000);
	assert_int_equal(get(f, 0x390), 0);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	set(f, 0x300, 0x4c041); /* the world is still there, but it is off */
	assert_false(lapic_is_enabled(&f->lapic));
}

TEST(illegal_vectors_and_registers_are_errors)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x370, 0xe0);
	send(f, 0x0f);
	assert_int_equal(lapic_pending(&f->lapic), 0xe0);
	set(f, 0x300, 0x40005);
	set(f, 0x400, 0);
	assert_int_equal(get(f, 0x280), 0);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0xe0);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0);
	set(f, 0x370, 0x05); /* an error vector that is an error */
	send(f, 0x0f);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0x40);
}

/* SDM 3A 11.5.3: bit 5 is for what is sent, 6 for what is received; a self-IPI is both. */
TEST(an_illegal_vector_is_an_error_of_the_sender_or_of_the_receiver)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x300, 0x0f); /* to CPU 0, not by the shorthand */
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0x20);
	assert_int_equal(f->ipis, 0);
	set(f, 0x300, 0x4000f);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0x60);
	send(f, 0x0f);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0x40);
	set(f, 0x380, 1000);
	set(f, 0x320, 0x0f); /* the timer's, when it fires */
	f->now += 10000000;
	assert_int_equal(polled(f), -1);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0x40);
	set(f, 0x310, 0x77000000); /* of a destination that is nobody's no error tells (that was the P6's) */
	set(f, 0x300, 0x41);
	set(f, 0x280, 0);
	assert_int_equal(get(f, 0x280), 0);
	assert_int_equal(f->ipis, 1);
}

/* Where a register's fields are a structure's, compilers read the id as a byte. */
TEST(parts_of_a_register_are_read)
{
	struct fixture *f = lapic_begin(0x5a);
	uint64_t value = ~0ULL;

	lapic_access(&f->lapic, 0x23, 1, false, &value);
	assert_int_equal(value, 0x5a);
	lapic_access(&f->lapic, 0x22, 2, false, &value);
	assert_int_equal(value, 0x5a00);
	lapic_access(&f->lapic, 0x20, 1, false, &value);
	assert_int_equal(value, 0);
	lapic_access(&f->lapic, 0x32, 1, false, &value);
	assert_int_equal(value, get(f, 0x30) >> 16 & 0xff);
	lapic_access(&f->lapic, 0x23, 2, false, &value); /* into what is no register */
	assert_int_equal(value, 0);
	lapic_access(&f->lapic, 0x20, 8, false, &value);
	assert_int_equal(value, 0);
}

TEST(only_aligned_4_byte_writes_reach_registers)
{
	struct fixture *f = lapic_begin(0);
	uint64_t value = 0x77;

	lapic_access(&f->lapic, 0x80, 1, true, &value);
	lapic_access(&f->lapic, 0x80, 8, true, &value);
	lapic_access(&f->lapic, 0x84, 4, true, &value);
	assert_int_equal(get(f, 0x80), 0);
	lapic_access(&f->lapic, 0x84, 4, false, &value);
	assert_int_equal(value, 0);
}

TEST(the_timer_counts_down_and_fires_once)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x320, 0x40);
	set(f, 0x3e0, 0x3); /* by 16 */
	expect_not_due(f);
	set(f, 0x380, 100);
	f->now += 160;
	assert_int_equal(get(f, 0x390), 90);
	expect_due(f, 1440);
	assert_int_equal(polled(f), -1);
	f->now += 1440;
	expect_due(f, 0);
	assert_int_equal(polled(f), 0x40);
	assert_int_equal(get(f, 0x390), 0);
	expect_not_due(f);
	lapic_accept(&f->lapic, 0x40);
	set(f, 0xb0, 0);
	f->now += 100000;
	assert_int_equal(polled(f), -1);
}

/* Nobody polls it but who reads; and while it is held back behind an EOI the count does not get to its end. */
TEST(who_sees_the_count_at_0_has_the_interrupt)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x320, 0x40);
	set(f, 0x3e0, 0xb); /* by 1 */
	set(f, 0x380, 100);
	f->now += 99;
	assert_int_equal(get(f, 0x390), 1);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	f->now++;
	assert_int_equal(get(f, 0x390), 0);
	assert_int_equal(lapic_pending(&f->lapic), 0x40);
	lapic_accept(&f->lapic, 0x40);
	set(f, 0xb0, 0);
	set(f, 0x380, 100);
	f->now += 200;
	assert_int_equal(get(f, 0x390), 1);
	f->now += timer_shortest;
	assert_int_equal(get(f, 0x390), 0);
	assert_int_equal(lapic_pending(&f->lapic), 0x40);
}

TEST(what_was_due_is_not_lost_when_the_timer_is_set_again)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x320, 0x40);
	set(f, 0x3e0, 0xb);
	set(f, 0x380, 100);
	f->now += 100;
	set(f, 0x380, 5000);
	assert_int_equal(lapic_pending(&f->lapic), 0x40);
	f->now += 5000;
	set(f, 0x320, 0x20040); /* what has run out does not begin anew when it becomes periodic */
	assert_int_equal(get(f, 0x390), 0);
}

#define DEADLINE 0x00040000

TEST(a_deadline_fires_once_when_it_is_reached)
{
	struct fixture *f = lapic_begin(0);

	set(f, 0x320, 0x40 | DEADLINE);
	set(f, 0x380, 5); /* of no effect in this mode */
	expect_not_due(f);
	lapic_set_deadline(&f->lapic, 70000, 500);
	assert_int_equal(f->lapic.deadline, 70000);
	assert_int_equal(get(f, 0x390), 0);
	f->now += 499;
	expect_due(f, 1);
	assert_int_equal(polled(f), -1);
	f->now += 1;
	assert_int_equal(polled(f), 0x40);
	assert_int_equal(f->lapic.deadline, 0);
	expect_not_due(f);
}

TEST(a_deadline_of_0_or_another_mode_disarms)
{
	struct fixture *f = lapic_begin(0);
	uint64_t ticks;

	set(f, 0x320, 0x40 | DEADLINE);
	lapic_set_deadline(&f->lapic, 70000, 500);
	lapic_set_deadline(&f->lapic, 0, 0);
	expect_not_due(f);
	lapic_set_deadline(&f->lapic, 70000, 500);
	set(f, 0x320, 0x40);
	expect_not_due(f);
	assert_int_equal(f->lapic.deadline, 0);
	lapic_set_deadline(&f->lapic, 70000, 500); /* of no effect in this one */
	assert_int_equal(f->lapic.deadline, 0);
	expect_not_due(f);
	set(f, 0x380, 5);
	assert_true(lapic_timer_due(&f->lapic, &ticks));
	set(f, 0x320, 0x40 | DEADLINE);
	expect_not_due(f);
}

/* Linux writes "never" so. */
TEST(a_deadline_far_away_is_not_due)
{
	struct fixture *f = lapic_begin(0);
	uint64_t ticks;

	set(f, 0x320, 0x40 | DEADLINE);
	lapic_set_deadline(&f->lapic, UINT64_MAX, UINT64_MAX - 5);
	assert_true(lapic_timer_due(&f->lapic, &ticks));
	assert_true(ticks > UINT32_MAX);
}

/* A count of so many ticks: by 1. */
static void set_timer(struct fixture *f, uint32_t lvt, uint32_t count)
{
	set(f, 0x320, lvt);
	set(f, 0x3e0, 0xb);
	set(f, 0x380, count);
}

/* It fires by then, and its handler begins. */
static void accept_after(struct fixture *f, uint64_t ticks)
{
	f->now += ticks;
	lapic_timer_poll(&f->lapic);
	lapic_accept(&f->lapic, 0x40);
}

TEST(a_periodic_timer_keeps_its_phase)
{
	struct fixture *f = lapic_begin(0);

	set_timer(f, 0x20040, 100);
	f->now += 250; /* two periods and a half: one interrupt */
	assert_int_equal(get(f, 0x390), 50);
	assert_int_equal(polled(f), 0x40);
	lapic_accept(&f->lapic, 0x40);
	set(f, 0xb0, 0);
	assert_int_equal(polled(f), -1);
	f->now += 10000; /* EOI gives the interrupted code time; the phase is as it was */
	lapic_timer_poll(&f->lapic);
	expect_due(f, 50);
	set(f, 0x380, 0); /* stops it */
	expect_not_due(f);
}

TEST(behind_the_eoi_of_a_short_period_the_interrupted_code_gets_time)
{
	struct fixture *f = lapic_begin(0);

	set_timer(f, 0x20040, 1);
	accept_after(f, 5);
	f->now += 700;
	set(f, 0xb0, 0);
	f->now += 4000;
	assert_int_equal(polled(f), -1);
	expect_due(f, 1000);
	f->now += 1000;
	assert_int_equal(polled(f), 0x40);
}

/* Set by its handler anew, before the EOI or behind it, and shorter than what an exit takes. */
TEST(behind_its_eoi_a_timer_that_fires_once_waits_too)
{
	struct fixture *f = lapic_begin(0);

	set_timer(f, 0x40, 100);
	accept_after(f, 100);
	set(f, 0x380, 100);
	f->now += 1000;
	set(f, 0xb0, 0);
	expect_due(f, 5000);
	set(f, 0x320, 0x40 | DEADLINE);
	lapic_set_deadline(&f->lapic, 70000, 100);
	expect_due(f, 5000);
	lapic_set_deadline(&f->lapic, 70000, 6000);
	expect_due(f, 6000);
	lapic_set_deadline(&f->lapic, 70000, 0);
	expect_due(f, 5000);
}

TEST(while_its_vector_is_in_service_a_timer_does_not_fire)
{
	struct fixture *f = lapic_begin(0);

	set_timer(f, 0x40, 100);
	accept_after(f, 100);
	set(f, 0x380, 100);
	f->now += 20000;
	lapic_timer_poll(&f->lapic);
	assert_int_equal(get(f, 0x220), 0); /* IRR */
	expect_due(f, 5000);
	set(f, 0xb0, 0);
	f->now += 5000;
	assert_int_equal(polled(f), 0x40);
}

TEST(a_new_divider_changes_the_rate_and_not_the_count)
{
	struct fixture *f = lapic_begin(0);

	set_timer(f, 0x40, 1000);
	f->now += 400;
	set(f, 0x3e0, 0x1); /* by 4 */
	assert_int_equal(get(f, 0x390), 600);
	f->now += 400;
	assert_int_equal(get(f, 0x390), 500);
	expect_due(f, 2000);
	set(f, 0x3e0, 0xb);
	assert_int_equal(get(f, 0x390), 500);
	expect_due(f, 500);
}

TEST(globally_disabled_it_is_as_after_reset_but_for_its_id)
{
	struct fixture *f = lapic_begin(3);

	set(f, 0x320, 0x20040);
	set(f, 0x380, 100);
	set(f, 0x80, 0x50);
	lapic_message(&f->lapic, 0xfee03000, 0x41);
	lapic_reset(&f->lapic);
	assert_int_equal(get(f, 0x20), 3U << 24);
	assert_int_equal(get(f, 0xf0), 0xff);
	assert_int_equal(get(f, 0x80), 0);
	assert_int_equal(get(f, 0x350), 0x10000);
	assert_int_equal(lapic_pending(&f->lapic), -1);
	expect_not_due(f);
	assert_false(lapic_takes_extint(&f->lapic));
}

TEST(each_divider_divides_by_its_power_of_two)
{
	static const struct {
		uint32_t code, by;
	} dividers[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

	for (unsigned i = 0; i < 8; i++) {
		struct fixture *f = lapic_begin(0);
		uint64_t ticks = 0;

		set(f, 0x3e0, dividers[i].code);
		set(f, 0x380, 0xffffffff);
		assert_true(lapic_timer_due(&f->lapic, &ticks));
		assert_int_equal(ticks, 0xffffffffULL * dividers[i].by);
	}
}
