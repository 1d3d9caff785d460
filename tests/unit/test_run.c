// SPDX-License-Identifier: MIT
/*
 * A stop of all VMs (run_stop() in hv/vm/run.c) at each moment of a stay in the guest, and of the step of a write to
 * ROM. The C of both is as it is, and that of the shootdown and of the NMI's answer. CPU 1 has the vCPU, and its
 * guest is here; CPU 0 stops it at each atomic access of CPU 1 (tests/model/steps.h) and at each call out of these
 * files, each in a run of its own. And the wake of a CPU that halts (hv/machine/cpu.c).
 */
#include "tests/model/steps.h"

#include "lib/asm.h"

static void wait_a_little(void);
#define cpu_pause wait_a_little

#include "hv/vmx/vmx.h"

static uint64_t field(uint64_t number);
#define vmread(number)         field(number)
#define vmwrite(number, value) ((void)(value))
#define vmwrite_set            vmwrite

#ifndef RUN_SOURCE
#define RUN_SOURCE "hv/vm/run.c"
#endif
#ifndef STEP_SOURCE
#define STEP_SOURCE "hv/vm/step.c"
#endif
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "hv/machine/cpu.c"
#include "hv/vm/shootdown.c"
#include RUN_SOURCE
#include STEP_SOURCE
/* NOLINTEND(bugprone-suspicious-include) */

#include "tests/lib/gs.h"
#include "tests/lib/test.h"

#define CPUS     2
#define EXITS    2 /* of a stay, at most */
#define PATIENCE 3 /* looks of who waits, until the NMI comes */

static struct cpu machine[CPUS];
static struct vm vm;
static struct vcpu vcpu, another;
static unsigned pauses, entries;
static bool nmi;    /* on its way to CPU 1 */
static bool inside; /* CPU 1 is in its guest */
static bool was_inside, stop_has_returned;
static unsigned moment, moments; /* the stop comes with this one; 0: never */

static uint8_t firmware[sizeof(vm.rom_copy)];
static const struct ept_slot rom = {
	.gpa = FIRMWARE_ROM, .size = sizeof(firmware), .hpa = (uintptr_t)firmware, .kind = EPT_SLOT_ROM};

struct vmx vmx;
uint64_t boot_gdt[CPU_GDT_ENTRIES];
uint8_t stacks[1], stacks_end[1];

static void be(unsigned cpu) { gs_is(&machine[cpu]); }

/* The NMI that CPU 0 has sent, and waits for. */
static void wait_a_little(void)
{
	assert_true(pauses++ < 1000);
	assert_true(stopped); /* what the NMI is for */
	if (!nmi || pauses % PATIENCE) return;
	nmi = inside = false;
	be(1);
	cpu_answer();
	be(0);
}

void apic_send_nmi_others(void) { nmi = true; }
void apic_send_nmi(uint32_t id) { nmi |= id == 1; }

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) of the test is a "vcpu" and a "rom" already */

/* hv/vmx/enter.asm, and the guest behind it. An NMI makes an exit, and each leads out that finds the slice used up. */
enum enter_result vcpu_enter(struct vcpu *of, bool launched)
{
	enum enter_result result = ENTER_KICKED;

	(void)launched;
	for (; --this_cpu()->slice; result = ENTER_LEFT) {
		assert_false(stop_has_returned);
		inside = true;
		model_step();
		if (inside) of->exit_count[EXIT_REASON_NMI_WINDOW]++;
		inside = false;
		if (++entries % EXITS == 0) this_cpu()->slice = 1;
	}
	return result;
}

/* An atomic access is next: on CPU 1, does CPU 0 stop all before it? */
void model_step(void)
{
	if (this_cpu() != &machine[1] || ++moments != moment) return;
	be(0);
	was_inside = inside;
	run_stop();
	assert_false(inside);
	stop_has_returned = true;
	be(1);
}

static uint64_t field(uint64_t number)
{
	(void)number;
	model_step();
	return 0;
}

static void called(const struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	model_step();
}

void interrupts_before_entry(struct vcpu *of) { called(of); }
void interrupts_before_step(struct vcpu *of) { called(of); }
void vcpu_switch_to(struct vcpu *of) { called(of); }
uint64_t console_ticks(void) { return 0; }

uint64_t interrupts_timer_ticks(const struct vcpu *of)
{
	called(of);
	return 0;
}

const struct ept_slot *ept_slot_find(const struct ept *ept, uint64_t gpa)
{
	assert_ptr_equal(ept, &vm.ept);
	assert_int_equal(gpa, rom.gpa);
	return &rom;
}

void ept_lead_rom(struct ept *ept, const struct ept_slot *slot, uint64_t offset)
{
	assert_ptr_equal(slot, &rom);
	assert_ptr_equal(vm.alone, &vcpu);
	ept->rom_offset = offset;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* What else the C calls, but not here: a call goes to address 0. */
#pragma weak console_guest_age
#pragma weak console_has_room
#pragma weak console_poll
#pragma weak guest_fetch
#pragma weak interrupts_pending
#pragma weak invept
#pragma weak ipi_take_mail
#pragma weak panic
#pragma weak timer_halt
#pragma weak vcpu_borrow
#pragma weak vcpu_check_entry
#pragma weak vcpu_drop_debug
#pragma weak vcpu_dump
#pragma weak vcpu_give_back
#pragma weak vcpu_kick_remote
#pragma weak vcpu_let_go
#pragma weak vcpu_mode
#pragma weak vcpu_reinject
#pragma weak vm_change_unfinished
#pragma weak vm_go_on
#pragma weak vm_instruction_error
#pragma weak vm_kill
#pragma weak vmcs_setup_startup
#pragma weak vmx_instruction_failed

static int begin(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(machine, 0, sizeof(machine));
	pauses = entries = moments = 0;
	nmi = inside = was_inside = stop_has_returned = false;
	stopped = false;
	run_stepped = NULL;
	cpu_count = CPUS;
	for (unsigned i = 0; i < CPUS; i++) {
		cpus[i] = machine[i].self = &machine[i];
		machine[i].index = machine[i].apic_id = i;
	}
	vm.vcpu[0] = machine[1].vcpu = &vcpu;
	vm.vcpus = 1;
	vcpu.vm = &vm;
	vcpu.cpu = vcpu.host = &machine[1];
	be(0);
	return 0;
}

#undef TEST
#define TEST(name) TEST_WITH(name, begin, NULL)

static void stays(void) { stay(&vcpu, false); }

static void steps_rom(void)
{
	vcpu_write_rom(&vcpu);
	assert_null(vm.alone);
	assert_int_equal(vm.ept.rom_offset, 0);
}

/* Stop what CPU 1 does at each of its moments; in its guest, too. */
static void stop_at_each_moment(void (*run)(void))
{
	unsigned times_inside = 0;

	moment = 0;
	do {
		begin(NULL);
		be(1);
		run();
		be(0);
		times_inside += was_inside;
	} while (moment++ < moments);
	assert_int_not_equal(times_inside, 0);
}

TEST(no_vcpu_is_in_its_guest_from_the_return_of_a_stop_on) { stop_at_each_moment(stays); }

TEST(nor_is_one_that_takes_the_step_of_a_write_to_rom) { stop_at_each_moment(steps_rom); }

TEST(what_is_stopped_is_stepped_by_the_operator_alone)
{
	run_stop();
	assert_false(stop_has_returned);
	assert_true(vcpu_step(&vcpu));
	assert_int_equal(entries, 1);
	stop_has_returned = true;
	stays();
	steps_rom();
	run_stepped = &another;
	stays();
	assert_int_equal(entries, 1);
}

TEST(the_operator_s_step_may_write_to_rom)
{
	run_stop();
	run_stepped = &vcpu; /* as vcpu_step() does, in whose exit the write is */
	steps_rom();
	assert_int_equal(entries, 1);
}

TEST(what_was_stopped_goes_on)
{
	run_stop();
	stays();
	assert_int_equal(entries, 0);
	run_continue();
	stays();
	assert_int_not_equal(entries, 0);
}

TEST(only_a_cpu_that_halts_is_woken)
{
	cpu_wake(&machine[1]);
	assert_false(nmi);
	machine[1].idle = true;
	cpu_wake(&machine[1]);
	assert_true(nmi);
}
