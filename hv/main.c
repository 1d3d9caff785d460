/* SPDX-License-Identifier: MIT */
/*
 * From GRUB's information to running guests: bring-up in order, one VM for each module line,
 * turns on the CPU until all have ended, the status of the whole.
 */
#include "boot/multiboot2.h"
#include "hv/exits/exit.h"
#include "hv/machine/apic.h"
#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/machine/end.h"
#include "hv/machine/memory.h"
#include "hv/machine/paging.h"
#include "hv/machine/pic.h"
#include "hv/machine/start.h"
#include "hv/machine/timer.h"
#include "hv/machine/traps.h"
#include "hv/monitor/monitor.h"
#include "hv/options/options.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/fpu.h"
#include "hv/vm/run.h"
#include "hv/vm/vcpu.h"
#include "hv/vm/vm.h"
#include "hv/vmcs/leaks.h"
#include "hv/vmx/vmx.h"
#include "lib/pc.h"

#define TICKS_OF_SLOW_EXITS 200000    /* many times what one costs with check=always, or below another hypervisor */
#define INFO_LIMIT          (1 * MiB) /* more multiboot2 information than that is an error */

void hv_main(uint32_t magic, const void *info);

static struct boot_info boot;
static struct hv_options options;
static bool failed; /* a VM could not be started, was killed or exited with a status */

static void parse_boot_information(uint32_t magic, const void *info)
{
	struct option_error error;
	const char *wrong;

	if (magic != MULTIBOOT2_LOADER_MAGIC)
		panic("boot: loader magic 0x%x, expected 0x%x (multiboot2)", magic, MULTIBOOT2_LOADER_MAGIC);
	wrong = multiboot2_parse(info, INFO_LIMIT, &boot);
	if (wrong) panic("boot: bad multiboot2 information: %s", wrong);
	for (unsigned n = 0; n < boot.modules; n++)
		options_unescape((char *)boot.module[n].line); /* GRUB's memory is ours now */
	if (hv_options_parse(boot.line, &options, &error)) {
		print("options: unknown word '%s', expected %s: see docs/contract.md", error.word, error.expected);
		machine_end(STATUS_HYPERVISOR_FAILED);
	}
	if (options.console_e9) console_also_e9();
}

static bool name_is_taken(const char *name)
{
	for (unsigned i = 0; i < vm_count; i++)
		if (!strcmp(vms[i]->options.name, name)) return true;
	return false;
}

/* The VM of module 'n', with the initrd behind it if there is one. */
static struct vm *create_vm(unsigned n)
{
	const struct boot_module *next = n + 1 < boot.modules ? &boot.module[n + 1] : NULL;
	struct vm_options vm;
	struct option_error error;

	if (vm_options_parse(boot.module[n].line, &vm, &error)) {
		if (vm.name[0])
			print("vm %s: '%s' is not understood, expected %s: see docs/contract.md", vm.name, error.word,
			      error.expected);
		else
			print("module %u: '%s' is not understood, expected %s: see docs/contract.md", n + 1, error.word,
			      error.expected);
		return NULL;
	}
	if (vm_count == VMS_MAX) {
		print("vm %s: one too many, expected at most %u VMs", vm.name, VMS_MAX);
		return NULL;
	}
	if (name_is_taken(vm.name)) {
		print("module %u: '%s' is the name of another VM, expected a new NAME", n + 1, vm.name);
		return NULL;
	}
	return vm_create(&vm, &boot.module[n], next && options_is_initrd(next->line) ? next : NULL);
}

static void create_vms(void)
{
	for (unsigned n = 0; n < boot.modules; n++) {
		struct vm *vm = NULL;

		if (!options_is_initrd(boot.module[n].line))
			vm = create_vm(n);
		else if (n && !options_is_initrd(boot.module[n - 1].line))
			continue; /* create_vm() has seen it */
		else
			print("module %u: 'initrd' belongs to the vm before it, expected one: see docs/contract.md",
			      n + 1);
		failed |= !vm;
		if (!vm) continue;
		vm->index = (uint8_t)vm_count;
		vms[vm_count++] = vm;
	}
	failed |= !boot.modules;
	if (!boot.modules)
		print("no module: expected 'module2 FILE vm NAME -- command line' in grub.cfg: see docs/contract.md");
}

/*
 * What a VM had is free again as soon as it has ended; one that was reset starts again. Returns whether any has
 * something still.
 */
static bool settle_vms(void)
{
	bool any = false;

	for (unsigned i = 0; i < vm_count; i++) {
		struct vm *vm = vms[i];

		if (vm->state != VM_RUNNING && vm->ram && !run_is_stopped()) vm_release(vm);
		if (vm->state == VM_RESET) vm_restart(vm);
		any |= vm->ram != 0;
	}
	return any;
}

/* The operator's terminal becomes the guest's: there can be but one. */
static void pass_console_on(void)
{
	if (vm_count != 1) {
		print("options: 'console=guest' with %u VMs, expected one", vm_count);
		failed = true;
		return;
	}
	print("console of %s, Ctrl-A h for help", vms[0]->options.name);
	console_pass_on(&vms[0]->line);
}

static void report_vms(void)
{
	for (unsigned i = 0; i < vm_count; i++) {
		exit_print_counts(vms[i]);
		failed |= vms[i]->state != VM_EXITED || vms[i]->status;
	}
}

/* All of them are gone: memory is as it was before there was any, and in no more pieces. */
static void destroy_vms(uint64_t free_before, unsigned pieces_before)
{
	for (unsigned i = 0; i < vm_count; i++) vm_destroy(vms[i]);
	if (memory_left() != free_before || memory_pieces() != pieces_before)
		print("a defect of the hypervisor: of %lu KiB in %u pieces %lu KiB in %u were given back",
		      free_before / KiB, pieces_before, memory_left() / KiB, memory_pieces());
}

static void check_first_entries(void)
{
	for (unsigned i = 0; i < vm_count; i++) {
		struct vcpu *vcpu = vms[i]->vcpu[0];
		unsigned broken;

		vcpu_switch_to(vcpu);
		broken = vcpu_check_entry(vcpu);
		print("vm %s: check: %u rules for VM entries broken", vms[i]->options.name, broken);
	}
}

/* What would be needed to keep VMs from learning of each other: none of it is done (docs/real-hardware.md). */
static void show_leaks(void)
{
	uint32_t features = cpuid(7, 0).edx;
	bool tells = features & CPUID_7_EDX_ARCH_CAPABILITIES;
	char needs[240];

	leaks_needs(features, tells ? rdmsr(MSR_IA32_ARCH_CAPABILITIES) : 0, needs, sizeof(needs));
	print("cpu: not done against leaks: %s", needs);
}

static void show_machine(void)
{
	print("cpu: VMX with EPT; also%s%s%s%s%s", vmx.ept.large_2m ? " 2M leaves," : "",
	      vmx.ept.large_1g ? " 1G leaves," : "", vmx.ept.accessed_dirty ? " A/D flags," : "",
	      vmx.vpid ? " VPIDs," : "", vmx.preemption_timer ? " preemption timer" : "");
	show_leaks();
	print("memory: %lu MiB free", memory_left() / MiB);
}

/* What each CPU but the first does: can it run guests? */
static bool other_cpu_is_ready(void)
{
	if (!vmx_init_other()) return false;
	fpu_init();
	return true;
}

/* And then its own vCPUs, for ever. */
static void run_other_cpu(void)
{
	if (!vmx.preemption_timer) timer_start();
	for (;;) run_turn();
}

void hv_main(uint32_t magic, const void *info)
{
	unsigned pieces;
	uint64_t free;

	cpu_init_boot();
	console_init();
	traps_init();
	print("Leafcutter, a hypervisor one can read");
	parse_boot_information(magic, info);
	pic_init_host();
	pic_unmask(COM1_LINE);
	memory_init(&boot, info);
	cpus_find(&boot);
	paging_init();
	apic_init(true);
	if (!vmx_init(options.mask)) machine_end(STATUS_HYPERVISOR_FAILED);
	fpu_init();
	vmx.tsc_hz = timer_measure();
	cpuid_init();
	console_set_clock(vmx.tsc_hz);
	show_machine();
	cpus_start(vmx.tsc_hz, other_cpu_is_ready, run_other_cpu);
	free = memory_left();
	pieces = memory_pieces();
	create_vms();
	if (options.check) check_first_entries();
	run_checks_entries = options.check_always;
	if (options.check_always || cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) timer_shortest = TICKS_OF_SLOW_EXITS;
	if (options.console_guest) pass_console_on();
	if (!vmx.preemption_timer) timer_start();
	monitor_init();
	watch_init(&options);
	if (options.gdb && vm_count) gdb_init();
	run_begin();
	do {
		watch_poll();
		keys_poll();
		gdb_poll();
		run_turn();
	} while (settle_vms() || run_is_stopped());
	gdb_poll();
	keys_end();
	watch_end();
	report_vms();
	destroy_vms(free, pieces);
	machine_end(failed ? STATUS_VM_FAILED : STATUS_OK);
}
