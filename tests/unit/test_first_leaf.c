// SPDX-License-Identifier: MIT
/*
 * hv/vm/events.c, its C as it is. The line that tells of the first leaf of a type after a transition: faults are
 * served on several CPUs at once, and hold no lock. The other CPU's fault comes between every two instructions. And
 * which CPUs a transition's WBINVD goes to.
 */
#include "tests/lib/test.h"
#include "tests/lib/between.h"

#include "hv/vm/events.c" /* NOLINT(bugprone-suspicious-include) */

unsigned cpu_count;
static unsigned lines, steps, turn;
static struct vm vm;
static const struct event leaf = {.type = EVENT_INSTALL, .a = 1, .c = TO_FIELD(MEMTYPE_WC, EPT_TYPE)};

void print(const char *text, ...)
{
	(void)text;
	lines++;
}

void cpus_write_back(uint32_t which) { (void)which; }

static void fault_on_another_cpu(void)
{
	if (steps++ == turn) events_show(&vm, &leaf);
}

TEST(of_two_faults_at_once_one_is_the_first)
{
	for (turn = 0; turn < 200; turn++) {
		lines = steps = 0;
		vm.shown.first_leaves = ~0U;
		between_begin(fault_on_another_cpu);
		events_show(&vm, &leaf);
		between_end();
		if (steps <= turn) events_show(&vm, &leaf);
		assert_int_equal(lines, 1);
		assert_int_equal(vm.shown.first_leaves, ~(1U << MEMTYPE_WC));
	}
	assert_true(steps > 20 && steps < turn);
}

/* Two vCPUs on CPUs 1 and 3, of which the second is in its guest. */
TEST(a_write_back_goes_to_the_cpus_that_were_at_the_memory_since_the_last)
{
	static struct cpu cpu[2] = {{.index = 1}, {.index = 3}};
	static struct vcpu vcpu[2] = {{.host = &cpu[0]}, {.host = &cpu[1]}};

	vm.vcpu[0] = &vcpu[0];
	vm.vcpu[1] = &vcpu[1];
	vm.in_guest = 2;
	vm.touched_by = 1 << 1 | 1 << 2;
	assert_int_equal(holders(&vm), 1 << 1 | 1 << 2 | 1 << 3);
	assert_int_equal(holders(&vm), 1 << 3);
}
