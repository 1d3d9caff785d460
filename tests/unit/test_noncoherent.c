// SPDX-License-Identifier: MIT
/*
 * What a register's write leaves unfinished of a transition (hv/vm/noncoherent.c), its C as it is: two vCPUs on two
 * CPUs, of which the test is one. The other may do the rest, and halts meanwhile.
 */
#ifndef NONCOHERENT_SOURCE
#define NONCOHERENT_SOURCE "hv/vm/noncoherent.c"
#endif
#include NONCOHERENT_SOURCE /* NOLINT(bugprone-suspicious-include) */

#include "tests/lib/gs.h"
#include "tests/lib/test.h"

#define CPUS 2

static struct cpu machine[CPUS];
static struct vm vm;
static struct vcpu vcpu[CPUS];
static struct iommu unit;
static bool brings_another;
static unsigned waited;
static unsigned parts;       /* left of the write-back */
static unsigned kicks[CPUS]; /* of another CPU's vCPU, since the last stop or the end of one */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) of the test is a "vm" and a "vcpu" already */
void vcpu_kick_remote(struct vcpu *of)
{
	assert_ptr_not_equal(of->cpu, this_cpu());
	kicks[of->id]++;
}

static void forget_kicks(void)
{
	memset(kicks, 0, sizeof(kicks));
	machine[0].slice = 100;
}

void shootdown_stop(struct vm *of)
{
	of->stopped = true;
	forget_kicks();
}

void shootdown_resume(struct vm *of)
{
	of->stopped = false;
	forget_kicks();
}

bool coherence_transition(struct vm *of)
{
	assert_ptr_equal(of->change.cause, &vcpu[0].ept_cpu);
	return --parts;
}

/* A device's DMA may have waited for it; once, it brings the next change. */
void devices_go_on(struct vm *of)
{
	assert_true(of->stopped);
	waited++;
	of->change.goes_on = brings_another;
	brings_another = false;
}

bool ept_noncoherent_change(struct ept *ept, const struct ept_cpu *cpu, int delta)
{
	(void)cpu;
	ept->noncoherent += (unsigned)delta;
	return true;
}

void vm_write_back(struct vm *of, bool by_guest)
{
	(void)of;
	(void)by_guest;
}

void events_show(struct vm *of, const struct event *event)
{
	(void)of;
	(void)event;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* vCPU 0, which is ours, has written a register that attaches a device; the last before was vCPU 1's. */
static int begin(void **state)
{
	static const struct iommu_event attach = {.attached = true, .noncoherent = true};

	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&unit, 0, sizeof(unit));
	for (unsigned i = 0; i < CPUS; i++) {
		machine[i] = (struct cpu){.self = &machine[i], .index = i, .vcpu = &vcpu[i]};
		vcpu[i] = (struct vcpu){.vm = &vm, .id = i, .cpu = &machine[i], .slice_end = ~0UL};
		vm.vcpu[i] = &vcpu[i];
	}
	gs_is(&machine[0]);
	vm.vcpus = CPUS;
	vm.ept.policy = MEMTYPE_KVM_6_7;
	vm.cache = PAGE_SIZE;
	vm.iommu = &unit;
	vm.iommu_writer = &vcpu[1];
	parts = 3;
	waited = 0;
	brings_another = false;
	unit.draining = false;
	forget_kicks();
	vm_device_changed(&vm, &attach);
	assert_true(vm.change.goes_on);
	return 0;
}

#undef TEST
#define TEST(name) TEST_WITH(name, begin, NULL)

TEST(who_does_the_rest_of_a_register_s_write_is_woken_once_all_are_stopped)
{
	assert_true(vm_rest_stops(&vm));
	assert_int_equal(kicks[1], 1);
	assert_int_equal(parts, 3);
	assert_true(vm_change_unfinished(&vm)); /* who asks meanwhile has to wait, and does none of it */
	assert_int_equal(parts, 3);
}

TEST(who_wrote_the_register_leaves_its_guest) { assert_true(vcpu_is_kicked(&vcpu[0])); }

TEST(all_go_on_with_the_last_part_and_not_before)
{
	while (parts > 1) {
		vm_go_on(&vm);
		assert_true(vm.stopped);
		assert_int_equal(waited, 0);
	}
	vm_go_on(&vm);
	assert_int_equal(waited, 1);
	assert_false(vm.stopped);
	assert_int_equal(kicks[1], 1);
	assert_true(vcpu_is_kicked(&vcpu[0]));
	assert_false(vm_change_unfinished(&vm));
}

TEST(nobody_goes_on_while_the_dma_that_waited_brings_another_change)
{
	parts = 1;
	brings_another = true;
	vm_go_on(&vm);
	assert_true(vm_rest_stops(&vm));
	parts = 1;
	vm_go_on(&vm);
	assert_int_equal(waited, 2);
	assert_false(vm.stopped);
}

TEST(the_rest_of_what_the_queue_did_stops_nobody)
{
	shootdown_resume(&vm);
	unit.draining = true;
	while (parts > 1) {
		assert_true(vm_change_unfinished(&vm));
		assert_false(vm.stopped);
	}
	assert_false(vm_change_unfinished(&vm));
	assert_int_equal(waited, 0);
}
