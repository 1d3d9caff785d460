/* SPDX-License-Identifier: MIT */
/*
 * The operator's keys. They work while guests run: each is looked at between two turns.
 */
#include "hv/monitor/keys.h"

#include "hv/machine/console.h"
#include "hv/monitor/look.h"
#include "hv/monitor/monitor.h"
#include "hv/vm/run.h"

#define CTRL_A 0x01

static void print_help(void)
{
	print("Ctrl-A h: this help; Ctrl-A c: the monitor; Ctrl-A w: where each vCPU is; "
	      "Ctrl-A x: end the machine");
}

static void print_places(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned n = 0; n < vms[i]->vcpus && vms[i]->state == VM_RUNNING; n++)
			look_at_place(vms[i]->vcpu[n]);
}

static void end_all(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		vm_kill(vms[i], "by the operator");
	run_continue();
}

static void act(int key, struct vm *const *vms, unsigned count)
{
	switch (key) {
	case 'c':
		monitor_toggle();
		break;
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

void keys_poll(struct vm *const *vms, unsigned count)
{
	static bool after_ctrl_a;
	int key;

	while ((key = console_read()) >= 0) {
		monitor_poll(); /* what was typed before comes first */
		if (after_ctrl_a)
			act(key, vms, count);
		else if (key != CTRL_A)
			monitor_key(key);
		after_ctrl_a = !after_ctrl_a && key == CTRL_A;
	}
	monitor_poll();
}
