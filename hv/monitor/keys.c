/* SPDX-License-Identifier: MIT */
/*
 * The operator's keys. They work while guests run: each is looked at between two turns.
 */
#include "hv/monitor/keys.h"

#include "hv/machine/console.h"
#include "hv/monitor/watch.h"
#include "hv/vm/run.h"
#include "lib/format.h"

#define CTRL_A 0x01
#define CTRL_D 0x04 /* the input has ended: tools/boot */

static void print_help(void)
{
	print("Ctrl-A h: this help; Ctrl-A w: where each vCPU is; Ctrl-A x: end the machine");
}

static void print_places(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char prefix[VM_NAME_MAX + 8] = "";

		if (vms[i]->state != VM_RUNNING)
			continue;
		format_append(prefix, sizeof(prefix), "vm %s:", vms[i]->options.name);
		for (unsigned n = 0; n < vms[i]->vcpus; n++) {
			vcpu_switch_to(vms[i]->vcpu[n]);
			vcpu_print_place(vms[i]->vcpu[n], prefix);
		}
	}
}

static void end_all(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		vm_kill(vms[i], "by the operator");
}

static void act(int key, struct vm *const *vms, unsigned count)
{
	switch (key) {
	case 'w':
		print_places(vms, count);
		break;
	case 'x':
		end_all(vms, count);
		break;
	default:
		print_help();
		break;
	}
}

/* Nobody is there who could go on: no stop any more. */
static void end_of_input(void)
{
	watch_end_stops();
	if (!run_is_stopped())
		return;
	print("monitor: the input has ended: going on");
	run_continue();
}

void keys_poll(struct vm *const *vms, unsigned count)
{
	static bool after_ctrl_a;
	int key;

	while ((key = console_read()) >= 0) {
		if (after_ctrl_a)
			act(key, vms, count);
		else if (key == CTRL_D)
			end_of_input();
		after_ctrl_a = !after_ctrl_a && key == CTRL_A;
	}
}
