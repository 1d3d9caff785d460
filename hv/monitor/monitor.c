/* SPDX-License-Identifier: MIT */
/*
 * The monitor's line and its commands. While nothing has stopped that is going to (stop=,
 * continue), what is typed waits, so a script goes on where the machine stops next. What a command
 * looks at is in look.c.
 */
#include "hv/monitor/monitor.h"

#include "hv/exits/exit.h"
#include "hv/machine/console.h"
#include "hv/monitor/look.h"
#include "hv/monitor/watch.h"
#include "hv/vm/run.h"
#include "hv/vm/step.h"
#include "lib/string.h"

#define CTRL_D    0x04 /* the input has ended: tools/boot */
#define BACKSPACE 0x08
#define DELETE    0x7f
#define LINE_MAX  78
#define TYPED_MAX 8192U

static struct vm *const *vms;
static unsigned vm_count;
static struct vm *vm; /* the one that commands are about */
static bool open;
static char line[LINE_MAX + 1];
static unsigned length;
static const char *word;         /* behind a command's name, "" for nothing */
static uint64_t number;          /* its value, if it has one */
static uint8_t typed[TYPED_MAX]; /* and not acted upon yet */
static uint32_t typed_head, typed_tail;

struct command {
	const char *name;
	const char *words;
	const char *help;
	void (*run)(void);
	enum { NO_WORD, NAME, NUMBER, MAYBE_NUMBER } takes;
	bool looks; /* into the VM, which has to be there */
};

/* Hexadecimal with 0x, or decimal. */
static bool parse_number(const char *text, uint64_t *value)
{
	unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;

	text += base == 16 ? 2 : 0;
	if (!*text || strlen(text) > 16) return false;
	for (*value = 0; *text; text++) {
		unsigned digit = *text >= '0' && *text <= '9'   ? (unsigned)(*text - '0')
				 : *text >= 'a' && *text <= 'f' ? (unsigned)(*text - 'a') + 10
								: 16;

		if (digit >= base) return false;
		*value = *value * base + digit;
	}
	return true;
}

/* vCPU n of the VM, whose VMCS is current then; NULL after a line. */
static struct vcpu *choose_vcpu(uint64_t n)
{
	if (n >= vm->vcpus) {
		print("vCPU %lu: vm %s has %u, from 0", n, vm->options.name, vm->vcpus);
		return NULL;
	}
	vcpu_switch_to(vm->vcpu[n]);
	return vm->vcpu[n];
}

static void show_vms(void)
{
	static const char *const states[] = {"running", "exited", "killed", "reset"};

	for (unsigned i = 0; i < vm_count; i++) {
		print("%s vm %s: %s%s, %lu MiB, %u vCPU, noncoherent count %u, %lu exits", vms[i] == vm ? "*" : " ",
		      vms[i]->options.name, states[vms[i]->state],
		      run_is_stopped() && vms[i]->state == VM_RUNNING ? ", stopped" : "", vms[i]->options.memory / MiB,
		      vms[i]->vcpus, vms[i]->ept.noncoherent, exit_total(vms[i]));
	}
}

static void choose_vm(void)
{
	for (unsigned i = 0; i < vm_count; i++)
		if (!strcmp(vms[i]->options.name, word)) {
			vm = vms[i];
			return;
		}
	print("'%s' is no VM: expected a name that vms lists", word);
}

static void show_registers(void)
{
	struct vcpu *vcpu = choose_vcpu(number);

	if (vcpu) vcpu_dump(vcpu);
}

static void walk(void) { look_at_gpa(choose_vcpu(0), number); }

static void translate(void) { look_at_linear(choose_vcpu(0), number); }

static void show_ept(void) { look_at_ept(vm); }

static void show_mtrrs(void)
{
	const struct vcpu *vcpu = choose_vcpu(number);

	if (vcpu) look_at_mtrrs(vcpu);
}

static void show_iommu(void) { look_at_iommu(vm); }

static void show_exits(void) { exit_print_counts(vm); }

static void set_trace(void)
{
	if (!strcmp(word, "off"))
		watch_set_trace(TRACE_OFF);
	else if (strcmp(word, "on") != 0)
		print("'%s' is not understood, expected trace on or trace off", word);
	else if (!watch_set_trace(TRACE_EXITS))
		print("port 0xe9 is the console's (console=e9)");
}

static void pause(void) { run_stop(); }

static void go_on(void)
{
	run_continue();
	open = open && !watch_may_stop(); /* it comes back where the machine stops */
}

static void step(void)
{
	struct vcpu *vcpu = choose_vcpu(number);

	if (!run_is_stopped() || vm->state != VM_RUNNING) {
		print("step: vm %s is not stopped: pause", vm->options.name);
		return;
	}
	if (!vcpu) return;
	if (vcpu_step(vcpu))
		look_at_place(vcpu);
	else
		print("  its instruction has not ended: halted, ended, or in a handler of its own");
}

static void kill(void) { vm_kill(vm, "by the operator"); }

static void quit(void)
{
	for (unsigned i = 0; i < vm_count; i++) vm_kill(vms[i], "by the operator");
	go_on();
}

static void show_help(void);

static const struct command commands[] = {
	{"help", "", "this list", show_help, NO_WORD, false},
	{"vms", "", "the VMs; * is the one that the others are about", show_vms, NO_WORD, false},
	{"vm", "NAME", "choose it", choose_vm, NAME, false},
	{"regs", "[VCPU]", "its registers", show_registers, MAYBE_NUMBER, true},
	{"walk", "GPA", "what maps a guest-physical address, and why it has its type", walk, NUMBER, true},
	{"va", "ADDRESS", "the same for a linear one, and the guest's own tables", translate, NUMBER, true},
	{"ept", "", "all leaves, by size and type", show_ept, NO_WORD, true},
	{"mtrr", "[VCPU]", "its MTRRs", show_mtrrs, MAYBE_NUMBER, true},
	{"iommu", "", "devices, contexts, IOTLB, queue, faults", show_iommu, NO_WORD, true},
	{"exits", "", "how many of each reason", show_exits, NO_WORD, false},
	{"trace", "on|off", "exits and events through port 0xe9", set_trace, NAME, false},
	{"pause", "", "stop all VMs", pause, NO_WORD, false},
	{"continue", "", "go on", go_on, NO_WORD, false},
	{"step", "[VCPU]", "one instruction of a stopped one", step, MAYBE_NUMBER, true},
	{"kill", "", "end the VM", kill, NO_WORD, false},
	{"quit", "", "end the machine", quit, NO_WORD, false},
};

static void show_help(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		print("  %-8s %-8s %s", commands[i].name, commands[i].words, commands[i].help);
	print("  Ctrl-A c leaves the monitor, and comes back to it");
}

static void run_command(const struct command *command)
{
	bool is_number = parse_number(word, &number);
	bool fits = command->takes == NO_WORD        ? !*word
		    : command->takes == NAME         ? *word != '\0'
		    : command->takes == MAYBE_NUMBER ? is_number || !*word
						     : is_number;

	if (fits && command->looks && !vm->ram)
		print("vm %s has ended, and gave back what it had", vm->options.name);
	else if (fits)
		command->run();
	else
		print("%s '%s' is not understood, expected %s %s", command->name, word, command->name, command->words);
}

/* A line: a name, and at most one word behind it. */
static void run_line(void)
{
	char *name = line, *rest;

	while (*name == ' ') name++;
	for (rest = name; *rest && *rest != ' '; rest++)
		;
	for (; *rest == ' '; rest++) *rest = '\0';
	word = rest;
	number = 0;
	if (!*name) return;
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name)) {
			run_command(&commands[i]);
			return;
		}
	print("'%s' is no command: help lists them", name);
}

static void prompt(void) { print_part("hv: %s> ", vm ? vm->options.name : ""); }

static void end_line(void)
{
	print_part("\n");
	line[length] = '\0';
	length = 0;
	if (vm) run_line();
	if (open) prompt();
}

/* Nobody is there who could go on: no stop any more. */
static void end_of_input(void)
{
	if (open) print("monitor: the input has ended: going on");
	open = false;
	watch_end_stops();
	run_continue();
}

static void edit(uint8_t c)
{
	if (c == '\r' || c == '\n') {
		end_line();
	} else if ((c == BACKSPACE || c == DELETE) && length) {
		length--;
		print_part("\b \b");
	} else if (c >= ' ' && c < DELETE && length < LINE_MAX) {
		line[length++] = (char)c;
		print_part("%c", c);
	}
}

void monitor_init(struct vm *const *all, unsigned count)
{
	vms = all;
	vm_count = count;
	vm = count ? vms[0] : NULL;
}

void monitor_toggle(void)
{
	open = !open;
	length = 0;
	if (open)
		prompt();
	else
		print("monitor: left%s", run_is_stopped() ? "; the VMs are stopped, Ctrl-A c comes back" : "");
}

bool monitor_key(int key)
{
	bool takes = open || watch_may_stop();

	if ((takes || key == CTRL_D) && typed_head - typed_tail < TYPED_MAX)
		typed[typed_head++ % TYPED_MAX] = (uint8_t)key;
	return takes;
}

static bool has_stopped; /* as it was at the last look */

void monitor_poll(void)
{
	if (run_is_stopped() && !has_stopped && !open) monitor_toggle();
	while (typed_tail != typed_head && (open || !watch_may_stop())) {
		uint8_t c = typed[typed_tail++ % TYPED_MAX];

		if (c == CTRL_D)
			end_of_input();
		else if (open)
			edit(c);
	}
	has_stopped = run_is_stopped();
}
