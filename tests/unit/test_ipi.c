// SPDX-License-Identifier: MIT
/*
 * The mail between vCPUs (hv/vm/ipi.c), its C as it is, with the local APICs of hv/dev/. Three vCPUs: 0 and 2 on
 * the CPU that the test is, 1 on another. What that CPU would do when it takes its mail, the test does.
 */
#include "tests/lib/test.h"
#include "tests/lib/gs.h"

#ifndef IPI_SOURCE
#define IPI_SOURCE "hv/vm/ipi.c"
#endif
#include IPI_SOURCE /* NOLINT(bugprone-suspicious-include) */

#define VCPUS 3
#define OTHER 1 /* the vCPU on another CPU */
#define NEAR  2 /* and the one that is here, beside the boot CPU */
#define MASK  (1U << OTHER)

static struct cpu machine[2];
static struct vm vm;
static struct vcpu vcpu[VCPUS];
static unsigned kicks, resets;
static const char *killed;
static const struct vcpu *loaded; /* on this CPU */

void cpu_kick(const struct cpu *cpu)
{
	assert_ptr_equal(cpu, &machine[1]);
	kicks++;
}

/* Of the test is a "vm" already. NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void vm_reset_by_cpu(struct vm *of, const char *why)
{
	assert_ptr_equal(of, &vm);
	assert_string_equal(why, "reset");
	assert_non_null(loaded);
	resets++;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void vm_kill(struct vm *of, const char *reason, ...)
{
	(void)of;
	assert_non_null(loaded);
	killed = reason;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void vcpu_switch_to(struct vcpu *to) { loaded = to; }

static void nmi(void *ctx) { ((struct vcpu *)ctx)->nmi_pending = true; }

static int begin(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(machine, 0, sizeof(machine));
	memset(vcpu, 0, sizeof(vcpu));
	kicks = resets = 0;
	killed = NULL;
	loaded = NULL;
	vm.vcpus = vm.lapics.count = VCPUS;
	vm.is_shared = true;
	for (unsigned i = 0; i < VCPUS; i++) {
		const struct lapic_host host = {.ctx = &vcpu[i], .nmi = nmi, .ipi = ipi_send};

		vm.vcpu[i] = &vcpu[i];
		vm.lapics.lapic[i] = &vcpu[i].lapic;
		vcpu[i].vm = &vm;
		vcpu[i].id = i;
		vcpu[i].cpu = &machine[i == OTHER];
		vcpu[i].apic_base = APIC_BASE_EN | (i ? 0 : APIC_BASE_BSP);
		lapic_init(&vcpu[i].lapic, (uint8_t)i, &host);
	}
	machine[0].self = &machine[0];
	machine[1].self = &machine[1];
	gs_is(&machine[0]);
	return 0;
}

#undef TEST
#define TEST(name) TEST_WITH(name, begin, NULL)

/* vCPU 0 writes its interrupt command register. */
static void sends(unsigned to, unsigned mode, uint8_t vector)
{
	ipi_send(&vcpu[0], (uint64_t)to << 32 | TO_FIELD(mode, COMMAND_MODE) | COMMAND_ASSERT | vector);
}

static void takes_mail(unsigned to)
{
	gs_is(vcpu[to].cpu);
	ipi_take_mail(&vcpu[to]);
	gs_is(&machine[0]);
	assert_int_equal(vcpu[to].mail.flags, 0);
}

static void assert_started_at(unsigned who, uint8_t page)
{
	assert_int_equal(vcpu[who].activity, VCPU_ACTIVE);
	assert_true(vcpu[who].starts);
	assert_int_equal(vcpu[who].startup_page, page);
}

static void assert_waits(unsigned who)
{
	assert_int_equal(vcpu[who].activity, VCPU_WAITS);
	assert_false(vcpu[who].starts);
}

TEST(a_fixed_interrupt_arrives_with_the_mail_of_another_cpu)
{
	sends(OTHER, MODE_FIXED, 0x41);
	sends(OTHER, MODE_LOWEST, 0x61);
	assert_int_equal(lapic_pending(&vcpu[OTHER].lapic), -1);
	takes_mail(OTHER);
	assert_int_equal(lapic_pending(&vcpu[OTHER].lapic), 0x61);
	lapic_accept(&vcpu[OTHER].lapic, 0x61);
	set_activity(&vcpu[OTHER], VCPU_ACTIVE);
	assert_int_equal(vcpu[OTHER].lapic.reg[LAPIC_IRR + 2], 1 << 1);
}

TEST(on_the_same_cpu_it_arrives_at_once)
{
	sends(NEAR, MODE_FIXED, 0x41);
	assert_int_equal(lapic_pending(&vcpu[NEAR].lapic), 0x41);
	sends(NEAR, MODE_NMI, 0);
	assert_true(vcpu[NEAR].nmi_pending);
	assert_int_equal(machine[0].slice, 1);
	assert_int_equal(kicks, 0);
}

TEST(only_a_cpu_that_sleeps_or_is_in_the_guest_is_kicked)
{
	sends(OTHER, MODE_FIXED, 0x41);
	assert_int_equal(kicks, 0);
	machine[1].idle = true;
	sends(OTHER, MODE_FIXED, 0x41);
	assert_int_equal(kicks, 1);
	machine[1].idle = false;
	vm.in_guest = MASK;
	sends(OTHER, MODE_FIXED, 0x41);
	assert_int_equal(kicks, 2);
}

TEST(init_and_start_up_begin_at_the_page)
{
	sends(OTHER, MODE_INIT, 0);
	takes_mail(OTHER);
	assert_waits(OTHER);
	sends(OTHER, MODE_STARTUP, 0x9a);
	takes_mail(OTHER);
	assert_started_at(OTHER, 0x9a);
}

TEST(both_in_one_mail_are_one_after_the_other)
{
	sends(OTHER, MODE_INIT, 0);
	sends(OTHER, MODE_STARTUP, 0x9a);
	takes_mail(OTHER);
	assert_started_at(OTHER, 0x9a);
}

TEST(of_two_start_up_ipis_the_first_counts)
{
	sends(OTHER, MODE_INIT, 0);
	sends(OTHER, MODE_STARTUP, 0x10);
	sends(OTHER, MODE_STARTUP, 0x20);
	takes_mail(OTHER);
	assert_started_at(OTHER, 0x10);
	sends(OTHER, MODE_STARTUP, 0x30); /* it has not begun yet */
	assert_started_at(OTHER, 0x10);
	takes_mail(OTHER);
	assert_started_at(OTHER, 0x10);
}

TEST(who_runs_or_sleeps_ignores_a_start_up_ipi)
{
	for (enum vcpu_activity activity = VCPU_ACTIVE; activity < VCPU_WAITS; activity++) {
		vcpu[OTHER].activity = activity;
		sends(OTHER, MODE_STARTUP, 0x10);
		takes_mail(OTHER);
		assert_int_equal(vcpu[OTHER].activity, activity);
		assert_false(vcpu[OTHER].starts);
	}
}

TEST(init_stops_who_runs_sleeps_or_waits_and_its_local_apic_is_as_after_reset)
{
	for (enum vcpu_activity activity = VCPU_ACTIVE; activity <= VCPU_WAITS; activity++) {
		begin(NULL);
		vcpu[OTHER].activity = activity;
		vcpu[OTHER].starts = true;
		vcpu[OTHER].written_back = 0x1000; /* a WBINVD that was not at its end */
		lapic_set_cr8(&vcpu[OTHER].lapic, 5);
		sends(OTHER, MODE_INIT, 0);
		takes_mail(OTHER);
		assert_waits(OTHER);
		assert_int_equal(vcpu[OTHER].written_back, 0);
		assert_int_equal(lapic_cr8(&vcpu[OTHER].lapic), 0);
		assert_false(lapic_is_enabled(&vcpu[OTHER].lapic));
	}
}

TEST(an_init_of_level_0_is_none)
{
	uint64_t value = COMMAND_LEVEL | TO_FIELD(MODE_INIT, COMMAND_MODE);

	lapic_access(&vcpu[0].lapic, 16 * LAPIC_ICR_HIGH, 4, true, &(uint64_t){(uint64_t)OTHER << 24});
	lapic_access(&vcpu[0].lapic, 16 * LAPIC_ICR_LOW, 4, true, &value);
	assert_int_equal(vcpu[OTHER].mail.flags, 0);
	value |= COMMAND_ASSERT;
	lapic_access(&vcpu[0].lapic, 16 * LAPIC_ICR_LOW, 4, true, &value);
	takes_mail(OTHER);
	assert_waits(OTHER);
}

TEST(what_came_before_an_init_goes_with_it)
{
	for (unsigned who = OTHER; who <= NEAR; who++) {
		sends(who, MODE_FIXED, 0x41);
		sends(who, MODE_NMI, 0);
		sends(who, MODE_STARTUP, 0x10);
		sends(who, MODE_INIT, 0);
		takes_mail(who);
		assert_waits(who);
		assert_false(vcpu[who].nmi_pending);
		assert_int_equal(vcpu[who].lapic.irr_words, 0);
	}
}

TEST(an_nmi_behind_init_and_start_up_arrives)
{
	for (unsigned who = OTHER; who <= NEAR; who++) {
		sends(who, MODE_INIT, 0);
		sends(who, MODE_STARTUP, 0x10);
		sends(who, MODE_NMI, 0);
		takes_mail(who);
		assert_started_at(who, 0x10);
		assert_true(vcpu[who].nmi_pending);
	}
}

TEST(an_nmi_before_them_does_not)
{
	sends(OTHER, MODE_NMI, 0);
	sends(OTHER, MODE_INIT, 0);
	sends(OTHER, MODE_STARTUP, 0x10);
	takes_mail(OTHER);
	assert_started_at(OTHER, 0x10);
	assert_false(vcpu[OTHER].nmi_pending);
}

TEST(who_waits_takes_neither_nmi_nor_interrupt)
{
	for (unsigned who = OTHER; who <= NEAR; who++) {
		sends(who, MODE_INIT, 0);
		takes_mail(who);
		sends(who, MODE_NMI, 0);
		sends(who, MODE_FIXED, 0x41);
		takes_mail(who);
		sends(who, MODE_STARTUP, 0x10);
		takes_mail(who);
		assert_started_at(who, 0x10);
		assert_false(vcpu[who].nmi_pending);
		assert_int_equal(vcpu[who].lapic.irr_words, 0);
	}
}

TEST(an_init_for_who_has_the_bsp_flag_is_a_reset)
{
	sends(0, MODE_INIT, 0);
	takes_mail(0);
	assert_int_equal(resets, 1);
	vcpu[0].apic_base &= ~APIC_BASE_BSP;
	vcpu[OTHER].apic_base |= APIC_BASE_BSP;
	sends(0, MODE_INIT, 0);
	takes_mail(0);
	assert_waits(0);
	assert_int_equal(resets, 1);
	sends(OTHER, MODE_INIT, 0);
	takes_mail(OTHER);
	assert_int_equal(resets, 2);
}

TEST(a_local_apic_that_is_switched_off_gets_nothing)
{
	vm.lapics.off = MASK;
	for (unsigned mode = MODE_FIXED; mode <= MODE_EXTINT; mode++) {
		sends(OTHER, mode, 0x41);
		sends(0xff, mode, 0x41);
		ipi_send(&vcpu[0], TO_FIELD(TO_OTHERS, ICR_SHORTHAND) | TO_FIELD(mode, COMMAND_MODE) | 0x41);
		assert_int_equal(vcpu[OTHER].mail.flags, 0);
	}
}

/* The others stopped, waiting, and one that 'activity' says; with nothing on the way. */
static bool none_is_left(enum vcpu_activity activity)
{
	vcpu[0].activity = VCPU_STOPPED;
	vcpu[OTHER].activity = activity;
	vcpu[NEAR].activity = VCPU_WAITS;
	return ipi_none_is_left(&vm);
}

TEST(none_is_left_when_all_are_stopped_or_wait)
{
	assert_false(none_is_left(VCPU_ACTIVE));
	assert_false(none_is_left(VCPU_HALTED));
	assert_true(none_is_left(VCPU_STOPPED));
	assert_true(none_is_left(VCPU_WAITS));
}

TEST(one_with_mail_or_an_nmi_is_left)
{
	none_is_left(VCPU_STOPPED);
	vcpu[OTHER].mail.flags = MAIL_STARTUP;
	assert_false(ipi_none_is_left(&vm));
	vcpu[OTHER].mail.flags = 0;
	vcpu[NEAR].nmi_pending = true;
	assert_false(ipi_none_is_left(&vm));
	vcpu[NEAR].nmi_pending = false;
	assert_true(ipi_none_is_left(&vm));
}

TEST(the_last_mail_that_wakes_nobody_ends_the_vm)
{
	none_is_left(VCPU_STOPPED);
	sends(OTHER, MODE_STARTUP, 0x10);
	takes_mail(OTHER);
	assert_string_equal(killed, "halted with interrupts off");
}

TEST(mail_that_wakes_one_does_not)
{
	none_is_left(VCPU_WAITS);
	sends(OTHER, MODE_STARTUP, 0x10);
	takes_mail(OTHER);
	assert_null(killed);
	sends(NEAR, MODE_NMI, 0);
	takes_mail(NEAR);
	assert_null(killed);
}
