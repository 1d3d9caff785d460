/* SPDX-License-Identifier: MIT */
/*
 * The operator's keys. They work while guests run: each is looked at between two turns. What is no
 * key of ours is typed at a guest.
 */
#include "hv/monitor/keys.h"

#include "hv/machine/console.h"
#include "hv/monitor/look.h"
#include "hv/monitor/monitor.h"
#include "hv/vm/devices.h"
#include "hv/vm/run.h"

#define CTRL_A 0x01

static unsigned focus; /* the VM that hears what is typed */

/* Typed at it, while it has no room: so many keys, and what comes then is lost. */
#define TYPED_MAX 256U
static uint8_t typed[TYPED_MAX];
static uint32_t typed_head, typed_tail;

static void print_help(void)
{
	print("Ctrl-A h: this help; Ctrl-A c: the monitor; Ctrl-A w: where each vCPU is; "
	      "Ctrl-A n: the next VM's console; Ctrl-A x: end the machine; Ctrl-A Ctrl-A: a "
	      "Ctrl-A for the guest");
}

static void print_places(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned n = 0; n < vms[i]->vcpus && vms[i]->state == VM_RUNNING; n++)
			look_at_place(vms[i]->vcpu[n]);
}

static void end_all(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 0; i < count; i++) vm_kill(vms[i], "by the operator");
	run_continue();
}

/* Another VM that still runs hears what is typed from now on. */
static void next_console(struct vm *const *vms, unsigned count)
{
	for (unsigned i = 1; i <= count; i++)
		if (vms[(focus + i) % count]->state == VM_RUNNING) {
			focus = (focus + i) % count;
			print("console of %s, Ctrl-A h for help", vms[focus]->options.name);
			return;
		}
}

static void act(int key, struct vm *const *vms, unsigned count)
{
	switch (key) {
	case 'c': monitor_toggle(); break;
	case 'w': print_places(vms, count); break;
	case 'n': next_console(vms, count); break;
	case 'x': end_all(vms, count); break;
	default: print_help(); break;
	}
}

/* For the guest, as far as its UART takes it. What is typed at a VM that has ended is lost. */
static void feed(struct vm *vm)
{
	while (typed_tail != typed_head && (vm->state != VM_RUNNING || devices_type(vm, typed[typed_tail % TYPED_MAX])))
		typed_tail++;
}

static void type(int key)
{
	if (typed_head - typed_tail < TYPED_MAX) typed[typed_head++ % TYPED_MAX] = (uint8_t)key;
}

void keys_poll(struct vm *const *vms, unsigned count)
{
	static bool after_ctrl_a;
	int key;

	while ((key = console_read()) >= 0) {
		monitor_poll(); /* what was typed before comes first */
		if (after_ctrl_a && key != CTRL_A)
			act(key, vms, count);
		else if ((after_ctrl_a || key != CTRL_A) && !monitor_key(key))
			type(key);
		after_ctrl_a = !after_ctrl_a && key == CTRL_A;
	}
	monitor_poll();
	if (count) feed(vms[focus]);
}
