// SPDX-License-Identifier: MIT
/*
 * Several CPUs: all are started, say the same of themselves by CPUID and local APIC, and then the
 * parts: IPIs, and the transition under fire (or, by a word, one of its parts, figures, storm, witness). With
 * "interruptible" none spins with interrupts off, which nested KVM does not bear. Needs iommu=on dev=edu and
 * cpus=2 or more.
 */
#include "guest/smp/smp.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "lib/bits.h"

unsigned times(unsigned most) { return (unsigned)MIN(guest_number("times", most), most); }

static struct {
	uint32_t initial, lapic, x2apic;
	uint64_t tsc;
} said[SMP_CPUS];

static void say(unsigned id)
{
	said[id].initial = cpuid(1, 0).ebx >> 24;
	said[id].x2apic = cpuid(0xb, 0).edx;
	said[id].lapic = lapic_id();
	said[id].tsc = rdtsc();
}

static void test_identity(void)
{
	uint64_t before = rdtsc(), after;
	bool agree = true, in_time = true;

	job_start(1, say);
	say(0);
	check(job_wait(1), "each CPU did what it was told");
	after = rdtsc();
	for (unsigned id = 0; id < cpus; id++) {
		agree &= said[id].initial == id && said[id].lapic == id && said[id].x2apic == id;
		in_time &= said[id].tsc > before && said[id].tsc < after;
	}
	check(agree, "CPUID leaves 1 and 0xb and the local APIC give each CPU one id");
	check(in_time, "their TSCs agree");
	check_count(cpus, cpuid(0xb, 1).ebx & 0xffff, "CPUs", "CPUID.0xb counts them");
}

#define TSC_LOOKS 200 /* of each CPU */

static struct {
	volatile uint32_t taken;
	uint64_t last;
	unsigned backwards;
} clock;

/* One after the other, in any order: none may read less than the one before. */
static void read_clock(unsigned id)
{
	(void)id;
	for (unsigned n = 0; n < TSC_LOOKS; n++) {
		uint64_t now;

		while (__atomic_exchange_n(&clock.taken, 1, __ATOMIC_ACQUIRE)) cpu_pause();
		now = rdtsc();
		clock.backwards += now < clock.last;
		clock.last = now;
		__atomic_store_n(&clock.taken, 0, __ATOMIC_RELEASE);
	}
}

static void test_clock(void)
{
	job_on_all(read_clock, NULL);
	check_count(0, clock.backwards, "times less", "no CPU reads a TSC below what another read before it");
}

int guest_main(void)
{
	unsigned expected = (unsigned)guest_number("cpus", cpuid(0xb, 1).ebx & 0xffff);

	lapic_enable();
	if (guest_word("interruptible")) interrupts_on();
	if (!check_count(expected, jobs_begin(expected), "CPUs", "INIT and start-up IPIs start the others"))
		return check_status();
	if (guest_word("witness") || guest_word("lines")) {
		(guest_word("lines") ? test_lines : run_witness)();
		return check_status();
	}
	if (guest_word("ends") || guest_word("segments")) {
		(guest_word("ends") ? run_ends : test_segments)();
		return check_status();
	}
	if (!check(device_init(), "a device and an IOMMU")) return check_status();
	if (guest_word("figures")) {
		print_figures();
		return check_status();
	}
	if (guest_word("storm")) {
		run_storm();
		return check_status();
	}
	if (guest_word("deaf") || guest_word("alike")) {
		(guest_word("deaf") ? test_deaf : test_alike)();
		return check_status();
	}
	vmcall_wants_policy(~(1U << MEMTYPE_KVM_6_16), "under it no attach is a transition");
	test_identity();
	test_clock();
	test_rom();
	test_tables();
	if (guest_word("starts")) test_starts();
	test_ipis();
	test_shootdown();
	test_dma();
	if (guest_word("starts")) test_x2apic();
	return check_status();
}
