// SPDX-License-Identifier: MIT
/*
 * The shootdown (hv/vm/shootdown.c), its C as it is: this_cpu() reads GS, which a process may set.
 * The world around it is here: four CPUs, of which the test is one at a time, INVEPTs counted for
 * each, and kicks. In cpu_pause() the CPU that is waited for does what the test says.
 */
#include "lib/asm.h"
#include "tests/lib/test.h"

static void wait_a_little(void);
#define cpu_pause wait_a_little
#ifndef SHOOTDOWN_SOURCE
#define SHOOTDOWN_SOURCE "hv/vm/shootdown.c"
#endif
#include SHOOTDOWN_SOURCE /* NOLINT(bugprone-suspicious-include) */

#include "tests/lib/gs.h"

#define CPUS    4
#define POINTER 0x1234501eULL

static struct cpu machine[CPUS];
struct cpu *cpus[CPUS_MAX];
unsigned cpu_count;
uint64_t cpus_asked;

static struct vm vm, other;
static struct vcpu vcpu[CPUS], stranger;
static unsigned invepts[CPUS], kicks[CPUS], broadcasts, pauses;
static uint64_t generation_at_kick;

/* What who was kicked does, and after how many looks of who waits. */
enum way { ANSWERS, GOES_OUT };
static enum way way;
static unsigned patience;

void invept(uint64_t pointer)
{
	assert_int_equal(pointer, POINTER);
	invepts[this_cpu()->index]++;
}

static void kicked(struct cpu *cpu)
{
	kicks[cpu->index]++;
	generation_at_kick = vm.generation;
}

void cpu_kick(const struct cpu *cpu) { kicked(&machine[cpu->index]); }

void apic_send_nmi_others(void)
{
	broadcasts++;
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpus[i] != this_cpu()) kicked(cpus[i]);
}

/* As cpu_answer() does it, or stay(). */
static void react(struct cpu *cpu)
{
	if (way == ANSWERS)
		cpu->answered = cpus_asked;
	else
		vm.in_guest &= ~(1U << cpu->index);
	cpu->slice = 1;
	kicks[cpu->index] = 0;
}

/* One CPU at a time, the last first. */
static void wait_a_little(void)
{
	assert_true(pauses++ < 1000);
	if (pauses % patience) return;
	for (unsigned i = CPUS; i-- > 0;)
		if (kicks[i]) {
			react(&machine[i]);
			break;
		}
}

/* Of the test is a "vm" already. NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void events_show(struct vm *of, const struct event *event)
{
	(void)of;
	(void)event;
}

static void be(unsigned cpu) { gs_is(&machine[cpu]); }

/* A vCPU on each CPU, all of one VM, none in its guest, all up to date; we are CPU 0. */
static int begin(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&other, 0, sizeof(other));
	memset(machine, 0, sizeof(machine));
	memset(vcpu, 0, sizeof(vcpu));
	memset(invepts, 0, sizeof(invepts));
	memset(kicks, 0, sizeof(kicks));
	broadcasts = pauses = 0;
	way = ANSWERS;
	patience = 3;
	cpu_count = CPUS;
	vm.vcpus = CPUS;
	vm.is_shared = true;
	vm.everywhere = (1U << CPUS) - 1;
	vm.ept_pointer = POINTER;
	for (unsigned i = 0; i < CPUS; i++) {
		cpus[i] = &machine[i];
		machine[i].self = &machine[i];
		machine[i].index = i;
		machine[i].vcpu = vm.vcpu[i] = &vcpu[i];
		vcpu[i].vm = &vm;
		vcpu[i].cpu = vcpu[i].host = &machine[i];
		vcpu[i].id = i;
	}
	stranger.vm = &other;
	stranger.cpu = &machine[3];
	be(0);
	return 0;
}

#undef TEST
#define TEST(name) TEST_WITH(name, begin, NULL)

static void enters(unsigned cpu)
{
	be(cpu);
	vm.in_guest |= vcpu_bit(&vcpu[cpu]);
	assert_true(shootdown_enter(&vcpu[cpu]));
	be(0);
}

static void assert_invepts(unsigned first, unsigned second, unsigned third, unsigned fourth)
{
	assert_int_equal(invepts[0], first);
	assert_int_equal(invepts[1], second);
	assert_int_equal(invepts[2], third);
	assert_int_equal(invepts[3], fourth);
}

TEST(on_one_cpu_a_flush_is_one_invept)
{
	vm.is_shared = false;
	enters(1);
	shootdown_flush(&vm);
	assert_invepts(1, 0, 0, 0);
	assert_int_equal(kicks[1] + broadcasts + pauses, 0);
}

TEST(who_is_outside_is_not_asked_and_executes_invept_before_it_enters)
{
	shootdown_flush(&vm);
	assert_invepts(1, 0, 0, 0);
	assert_int_equal(kicks[1] + kicks[2] + kicks[3] + broadcasts + pauses, 0);
	enters(1);
	enters(2);
	assert_invepts(1, 1, 1, 0);
}

TEST(who_was_kicked_executes_invept_before_it_enters_again)
{
	for (enum way each = ANSWERS; each <= GOES_OUT; each++) {
		begin(NULL);
		way = each;
		enters(2);
		shootdown_flush(&vm);
		assert_invepts(1, 0, 0, 0);
		enters(2);
		assert_invepts(1, 0, 1, 0);
	}
}

TEST(one_invept_does_for_all_flushes_while_it_was_out)
{
	shootdown_flush(&vm);
	shootdown_flush(&vm);
	enters(1);
	enters(1);
	assert_invepts(2, 1, 0, 0);
}

TEST(who_flushed_needs_no_other_invept_to_enter)
{
	shootdown_flush(&vm);
	enters(0);
	assert_invepts(1, 0, 0, 0);
}

TEST(who_flushes_from_outside_any_vcpu_leaves_it_to_the_entry)
{
	machine[0].vcpu = NULL;
	shootdown_flush(&vm);
	machine[0].vcpu = &vcpu[0];
	enters(0);
	assert_int_equal(invepts[0], 2);
}

TEST(who_flushes_for_another_vm_leaves_its_own_vcpu_as_it_is)
{
	machine[0].vcpu = &stranger;
	stranger.flushed = 7;
	shootdown_flush(&vm);
	assert_int_equal(stranger.flushed, 7);
}

TEST(a_vcpu_that_is_new_on_a_cpu_begins_with_invept)
{
	vcpu[1].flushed = SHOOTDOWN_NEVER;
	enters(1);
	assert_int_equal(invepts[1], 1);
}

TEST(the_mark_comes_before_the_kick)
{
	enters(1);
	shootdown_flush(&vm);
	assert_int_equal(generation_at_kick, vm.generation);
}

TEST(a_flush_waits_for_each_that_was_in_the_guest)
{
	for (enum way each = ANSWERS; each <= GOES_OUT; each++) {
		begin(NULL);
		way = each;
		for (unsigned i = 1; i < CPUS; i++) enters(i);
		shootdown_flush(&vm);
		assert_int_equal(pauses, 3 * patience);
	}
}

TEST(an_answer_does_though_the_cpu_is_back_in_its_guest)
{
	enters(1);
	shootdown_flush(&vm);
	assert_true(shootdown_sees(&vcpu[1]));
	assert_int_equal(pauses, patience);
}

TEST(all_others_are_kicked_by_one_ipi_some_by_one_each)
{
	for (unsigned i = 1; i < CPUS; i++) enters(i);
	shootdown_flush(&vm);
	assert_int_equal(broadcasts, 1);
	assert_int_equal(vm.counter[COUNTER_KICKS], 3);
	vm.in_guest &= ~vcpu_bit(&vcpu[2]);
	shootdown_flush(&vm);
	assert_int_equal(broadcasts, 1);
	assert_int_equal(vm.counter[COUNTER_KICKS], 5);
}

TEST(a_cpu_that_runs_another_vm_is_left_alone)
{
	machine[3].vcpu = &stranger;
	other.in_guest = 1U << 3;
	shootdown_flush(&vm);
	assert_int_equal(kicks[3] + broadcasts + pauses, 0);
}

TEST(a_cpu_beside_those_of_the_vm_gets_no_kick_of_all)
{
	vm.everywhere = 0;
	for (unsigned i = 1; i < CPUS; i++) enters(i);
	shootdown_flush(&vm);
	assert_int_equal(broadcasts, 0);
	assert_int_equal(vm.counter[COUNTER_KICKS], 3);
}

TEST(an_answer_from_before_the_mark_does_not_count)
{
	machine[1].answered = cpus_asked;
	enters(1);
	shootdown_flush(&vm);
	assert_int_equal(pauses, patience);
}

TEST(a_stop_waits_for_all_and_none_enters_until_the_end_of_it)
{
	enters(1);
	shootdown_stop(&vm);
	assert_int_equal(pauses, patience);
	assert_invepts(0, 0, 0, 0);
	be(1);
	assert_false(shootdown_enter(&vcpu[1]));
	shootdown_resume(&vm);
	assert_true(shootdown_enter(&vcpu[1]));
	assert_invepts(0, 0, 0, 0);
}

TEST(one_has_the_vm_to_itself_and_no_second_one_until_it_gives_it_back)
{
	enters(1);
	assert_true(shootdown_stop_others(&vcpu[0]));
	assert_int_equal(pauses, patience);
	assert_true(shootdown_enter(&vcpu[0]));
	be(1);
	assert_false(shootdown_enter(&vcpu[1]));
	assert_false(shootdown_stop_others(&vcpu[1]));
	shootdown_stop(&vm); /* of a transition: it does not wait for that end */
	assert_false(shootdown_enter(&vcpu[0]));
	shootdown_resume(&vm);
	assert_false(shootdown_enter(&vcpu[1]));
	shootdown_resume_others(&vm);
	assert_true(shootdown_enter(&vcpu[1]));
	assert_true(shootdown_stop_others(&vcpu[1]));
}

TEST(no_vcpu_of_a_vm_that_has_ended_enters)
{
	vm.state = VM_KILLED;
	assert_false(shootdown_enter(&vcpu[0]));
}
