/* SPDX-License-Identifier: MIT */
/*
 * The table of the monitor's commands, and what they show. They ask those who decide it:
 * ept/explain.h, iommu_show(), the walk of hv/emulate/. How a line is typed is in keys.c.
 */
#include "hv/monitor/monitor.h"

#include "ept/explain.h"
#include "hv/exits/exit.h"
#include "hv/vm/guest_memory.h"
#include "hv/vm/run.h"
#include "hv/vm/step.h"
#include "lib/format.h"

static struct vm *vm; /* the one that commands are about */

struct command {
	const char *name;
	const char *words; /* behind it, in brackets where it may be missing */
	const char *help;
	/* One of these, by what it needs. The last two look into the VM, which has to be there. */
	void (*run)(void);
	void (*on_name)(const char *name);
	void (*on_vcpu)(struct vcpu *vcpu);
	void (*on_address)(struct vcpu *vcpu, uint64_t address);
};

/* Hexadecimal with 0x, or decimal. */
static bool parse_number(const char *text, uint64_t *value)
{
	unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;

	text += base == 16 ? 2 : 0;
	return strlen(text) <= 16 && digits_value(text, strlen(text), base, value);
}

static void show_vms(void)
{
	static const char *const states[] = {"running", "exited", "killed", "reset"};

	for (unsigned i = 0; i < vm_count; i++) {
		const char *state = run_is_stopped() && vms[i]->state == VM_RUNNING ? "stopped" : states[vms[i]->state];

		print("%s vm %s: %s, %lu MiB, %u vCPU, noncoherent count %u, %lu exits", vms[i] == vm ? "*" : " ",
		      vms[i]->options.name, state, vms[i]->options.memory / MiB, vms[i]->vcpus, vms[i]->ept.noncoherent,
		      exit_total(vms[i]));
	}
}

static void choose_vm(const char *name)
{
	for (unsigned i = 0; i < vm_count; i++)
		if (!strcmp(vms[i]->options.name, name)) {
			vm = vms[i];
			return;
		}
	print("'%s' is no VM: expected a name that vms lists", name);
}

static void show_exits(void) { exit_print_counts(vm); }

static void print_line(void *ctx, const char *text)
{
	(void)ctx;
	print("  %s", text);
}

void monitor_show_place(struct vcpu *vcpu)
{
	char prefix[VM_NAME_MAX + 8] = "";

	vcpu_switch_to(vcpu);
	format_append(prefix, sizeof(prefix), "vm %s:", vcpu->vm->options.name);
	vcpu_print_place(vcpu, prefix);
}

static void explain(const struct vcpu *vcpu, uint64_t gpa, struct ept_pat pat)
{
	struct ept_explanation why;

	print("  guest-physical 0x%lx", gpa);
	pat.value = vmread(VMCS_GUEST_IA32_PAT);
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PG)) pat.index = EPT_NO_PAGING;
	ept_explain(&vcpu->vm->ept, &vcpu->ept_cpu, &pat, gpa, &why);
	ept_explain_print(&why, print_line, NULL);
}

static void explain_gpa(struct vcpu *vcpu, uint64_t gpa) { explain(vcpu, gpa, (struct ept_pat){.assumed = true}); }

/* A walk through the guest's tables, and the entries as they are read. */
struct spy {
	struct vcpu *vcpu;
	bool quiet;
	struct guest_paging paging;
	unsigned entries;
	uint64_t last;
	uint32_t error_code;
};

/*
 * As a snooping device reads: where caches are modelled, to look at a page does not cache it. The walk sees each entry
 * as accessed, so it has no flag to set: those are the guest's.
 */
static int spy_read(void *ctx, uint64_t gpa, void *to, unsigned size)
{
	struct spy *spy = ctx;
	int error = vm_ram_read(spy->vcpu->vm, gpa, to, size, false);

	spy->last = 0;
	if (!error) {
		memcpy(&spy->last, to, size);
		*(uint8_t *)to |= PAGE_A;
	}
	spy->entries++;
	if (!spy->quiet) print("  guest entry at 0x%lx: 0x%lx%s", gpa, spy->last, error ? ", not RAM" : "");
	return error;
}

/* Which entry of the PAT the guest's page names: PAT, PCD and PWT (SDM 3A 12.12.3). */
static unsigned pat_index(const struct spy *spy)
{
	bool is_4k = spy->entries == (spy->paging.efer & EFER_LMA ? 4 : 2);
	uint64_t pat_bit = is_4k ? PAGE_4K_PAT : PAGE_LARGE_PAT;

	return (spy->last & pat_bit ? 4U : 0) | (spy->last & PAGE_PCD ? 2U : 0) | (spy->last & PAGE_PWT ? 1U : 0);
}

/* As the kernel reads. 0, or as guest_walk(). */
static int walk(struct spy *spy, uint64_t linear, uint64_t *gpa)
{
	const struct guest_ram ram = {.ctx = spy, .read_table = spy_read};

	guest_read_paging(spy->vcpu, &spy->paging);
	spy->paging.cpl = 0;
	spy->paging.cr4 &= ~CR4_SMAP;
	return guest_walk(&spy->paging, &ram, linear, GUEST_READ, gpa, &spy->error_code);
}

bool monitor_translate(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
	struct spy spy = {.vcpu = vcpu, .quiet = true};

	return !walk(&spy, linear, gpa);
}

static void explain_linear(struct vcpu *vcpu, uint64_t linear)
{
	struct spy spy = {.vcpu = vcpu};
	uint64_t gpa;
	int error = walk(&spy, linear, &gpa);

	if (error) {
		print("  0x%lx is not mapped: %s, error code 0x%x", linear,
		      error == -EFAULT   ? "page fault"
		      : error == -EINVAL ? "not canonical"
					 : "a table that is not RAM",
		      spy.error_code);
		return;
	}
	explain(vcpu, gpa, (struct ept_pat){.index = pat_index(&spy)});
}

static void show_ept(struct vcpu *vcpu)
{
	const struct ept *ept = &vcpu->vm->ept;
	struct ept_span span;
	unsigned spans = 0;

	for (uint64_t gpa = 0; ept_next_span(ept, gpa, &span); gpa = span.gpa + span.size) {
		spans++;
		print("  0x%09lx-0x%09lx %6lu leaves of %s, %c%c%c, %s", span.gpa, span.gpa + span.size - 1,
		      span.size / page_level_size(span.level), ept_level_names[span.level],
		      span.bits & EPT_READ ? 'R' : '-', span.bits & EPT_WRITE ? 'W' : '-',
		      span.bits & EPT_EXECUTE ? 'X' : '-', memtype_leaf_name(span.bits));
	}
	print("  %u runs in %lu tables; noncoherent count %u, policy %s", spans, ept->stats.tables, ept->noncoherent,
	      memtype_policy_name(ept->policy));
}

static void show_mtrrs(struct vcpu *vcpu)
{
	mtrr_print(&vcpu->mtrr, print_line, NULL);
	print("  CR0.CD %u, IA32_PAT 0x%016lx", vcpu->ept_cpu.cd, vmread(VMCS_GUEST_IA32_PAT));
}

static void show_iommu(struct vcpu *vcpu)
{
	if (vcpu->vm->iommu)
		iommu_show(vcpu->vm->iommu, print_line, NULL);
	else
		print("  iommu=off: there is none");
}

static void set_trace(const char *word)
{
	if (!strcmp(word, "off"))
		watch_set_trace(TRACE_OFF);
	else if (strcmp(word, "on") != 0)
		print("'%s' is not understood, expected trace on or trace off", word);
	else if (!watch_set_trace(TRACE_EXITS))
		print("port 0xe9 is the console's (console=e9)");
}

static void step(struct vcpu *vcpu)
{
	if (!run_is_stopped() || vm->state != VM_RUNNING)
		print("step: vm %s is not stopped: pause", vm->options.name);
	else if (vcpu_step(vcpu))
		monitor_show_place(vcpu);
	else
		print("  its instruction has not ended: it is halted, or its VM has ended");
}

static void kill(void) { vm_kill(vm, "by the operator"); }

void monitor_quit(void)
{
	for (unsigned i = 0; i < vm_count; i++) vm_kill(vms[i], "by the operator");
	run_continue();
}

static void show_help(void);

static const struct command commands[] = {
	{"help", "", "this list", .run = show_help},
	{"vms", "", "the VMs; * is the one that the others are about", .run = show_vms},
	{"vm", "NAME", "choose it", .on_name = choose_vm},
	{"regs", "[VCPU]", "its registers", .on_vcpu = vcpu_dump},
	{"walk", "GPA", "what maps a guest-physical address, and why it has its type", .on_address = explain_gpa},
	{"va", "ADDRESS", "the same for a linear one, by the guest's tables and its page's PAT entry",
	 .on_address = explain_linear},
	{"ept", "", "all leaves, by size and type", .on_vcpu = show_ept},
	{"mtrr", "[VCPU]", "its MTRRs", .on_vcpu = show_mtrrs},
	{"iommu", "", "devices, contexts, IOTLB, queue, faults", .on_vcpu = show_iommu},
	{"exits", "", "how many of each reason", .run = show_exits},
	{"trace", "on|off", "exits and events through port 0xe9", .on_name = set_trace},
	{"pause", "", "stop all VMs", .run = run_stop},
	{"continue", "", "go on", .run = run_continue},
	{"step", "[VCPU]", "one instruction of a stopped one", .on_vcpu = step},
	{"kill", "", "end the VM", .run = kill},
	{"quit", "", "end the machine", .run = monitor_quit},
};

static void show_help(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		print("  %-8s %-8s %s", commands[i].name, commands[i].words, commands[i].help);
	print("  Ctrl-A c leaves the monitor, and comes back to it");
}

static void look(const struct command *command, uint64_t number)
{
	uint64_t n = command->on_vcpu ? number : 0;

	if (!vm->ram) {
		print("vm %s has ended, and gave back what it had", vm->options.name);
		return;
	}
	if (n >= vm->vcpus) {
		print("vCPU %lu: vm %s has %u, from 0", n, vm->options.name, vm->vcpus);
		return;
	}
	vcpu_switch_to(vm->vcpu[n]);
	if (command->on_vcpu)
		command->on_vcpu(vm->vcpu[n]);
	else
		command->on_address(vm->vcpu[n], number);
}

static void run_command(const struct command *command, const char *word)
{
	uint64_t number = 0;
	bool fits = !*word ? !*command->words || *command->words == '['
			   : command->on_name || (*command->words && parse_number(word, &number));

	if (!fits)
		print("%s '%s' is not understood, expected %s %s", command->name, word, command->name, command->words);
	else if (command->run)
		command->run();
	else if (command->on_name)
		command->on_name(word);
	else
		look(command, number);
}

void monitor_run(char *line)
{
	char *name = line, *word;

	while (*name == ' ') name++;
	for (word = name; *word && *word != ' '; word++)
		;
	for (; *word == ' '; word++) *word = '\0';
	if (!vm || !*name) return;
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name)) {
			run_command(&commands[i], word);
			return;
		}
	print("'%s' is no command: help lists them", name);
}

void monitor_prompt(void) { print_part("hv: %s> ", vm ? vm->options.name : ""); }

void monitor_init(void) { vm = vm_count ? vms[0] : NULL; }
