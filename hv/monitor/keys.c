/* SPDX-License-Identifier: MIT */
/*
 * The operator's keys, looked at between two turns: Ctrl-A and a letter at all times, the monitor's
 * line while it is open, and else a guest's UART. While a stop is still to come (stop=, continue),
 * what is typed waits for it. So a script goes on where the machine stops next.
 */
#include "hv/monitor/monitor.h"

#include "hv/machine/console.h"
#include "hv/vm/devices.h"
#include "hv/vm/run.h"

#define CTRL_A    0x01
#define CTRL_D    0x04 /* the input has ended: tools/boot */
#define BACKSPACE 0x08
#define DELETE    0x7f
#define LINE_MAX  78

static unsigned focus;   /* the VM that hears what is typed */
static bool open;        /* the monitor */
static bool by_a_stop;   /* it was opened, not by Ctrl-A c */
static bool has_stopped; /* the machine, as it was at the last look */
static char line[LINE_MAX + 1];
static unsigned length;

/* What was typed and nobody has taken yet; beyond so many keys it is lost. */
#define QUEUE_SIZE 8192U
static struct queue {
	uint8_t key[QUEUE_SIZE];
	uint32_t head, tail;
} for_monitor, for_guest;

static void print_help(void)
{
	print("Ctrl-A h: this help; Ctrl-A c: the monitor; Ctrl-A w: where each vCPU is; "
	      "Ctrl-A n: the next VM's console; Ctrl-A x: end the machine; Ctrl-A Ctrl-A: a Ctrl-A for the guest");
}

static void print_places(void)
{
	for (unsigned i = 0; i < vm_count; i++)
		for (unsigned n = 0; n < vms[i]->vcpus && vms[i]->state == VM_RUNNING; n++)
			monitor_show_place(vms[i]->vcpu[n]);
}

/* Another VM that still runs hears what is typed from now on. */
static void next_console(void)
{
	for (unsigned i = 1; i <= vm_count; i++)
		if (vms[(focus + i) % vm_count]->state == VM_RUNNING) {
			focus = (focus + i) % vm_count;
			print("console of %s, Ctrl-A h for help", vms[focus]->options.name);
			return;
		}
}

/* Open the monitor, or leave it as it is: whoever is stopped stays so. */
static void toggle(bool stops)
{
	open = !open;
	by_a_stop = stops;
	length = 0;
	if (open)
		monitor_prompt();
	else
		print("monitor: left%s", run_is_stopped() ? "; the VMs are stopped, Ctrl-A c comes back" : "");
}

/* The monitor opens where the machine stops, and is left where that goes on, maybe to another stop. */
static void follow_stops(void)
{
	bool stops = run_is_stopped() && !has_stopped, goes_on = has_stopped && !run_is_stopped();

	has_stopped = run_is_stopped();
	if (stops && !open) toggle(true);
	if (goes_on && (by_a_stop || watch_may_stop())) open = false;
}

static void act(int key)
{
	switch (key) {
	case 'c': toggle(false); break;
	case 'w': print_places(); break;
	case 'n': next_console(); break;
	case 'x': monitor_quit(); break;
	default: print_help(); break;
	}
}

static void end_line(void)
{
	print_part("\n");
	line[length] = '\0';
	length = 0;
	monitor_run(line);
	follow_stops();
	if (open) monitor_prompt();
}

/* Nobody is there who could go on: no stop any more. A last line may have no end. */
static void end_of_input(void)
{
	if (open && length) end_line();
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

static void keep(struct queue *queue, int key)
{
	if (queue->head - queue->tail < QUEUE_SIZE) queue->key[queue->head++ % QUEUE_SIZE] = (uint8_t)key;
}

/* The next key of those kept for the monitor: without a stop to come it is the guest's after all. */
static void hear(uint8_t key)
{
	if (key == CTRL_D)
		end_of_input();
	else if (open)
		edit(key);
	else
		keep(&for_guest, key);
}

/* For the guest, as far as its UART takes it. What is typed at a VM that has ended is lost. */
static bool guest_takes(uint8_t key) { return vms[focus]->state != VM_RUNNING || devices_type(vms[focus], key); }

static void deliver(void)
{
	struct queue *m = &for_monitor, *g = &for_guest;

	follow_stops();
	while (m->tail != m->head && (open || !watch_may_stop())) hear(m->key[m->tail++ % QUEUE_SIZE]);
	while (g->tail != g->head && guest_takes(g->key[g->tail % QUEUE_SIZE])) g->tail++;
}

static void type(int key)
{
	bool for_guests = !open && !watch_may_stop();

	if (!for_guests || key == CTRL_D) keep(&for_monitor, key);
	if (for_guests && vm_count) keep(&for_guest, key);
}

void keys_poll(void)
{
	static bool after_ctrl_a;
	int key;

	while ((key = console_read()) >= 0) {
		deliver(); /* what was typed before comes first */
		if (after_ctrl_a && key != CTRL_A)
			act(key);
		else if (after_ctrl_a || key != CTRL_A)
			type(key);
		after_ctrl_a = !after_ctrl_a && key == CTRL_A;
	}
	deliver();
}

void keys_end(void)
{
	struct queue *m = &for_monitor;
	unsigned lines = 0;

	while (m->tail != m->head) lines += m->key[m->tail++ % QUEUE_SIZE] == '\n';
	if (lines)
		print("monitor: no further stop: %u line%s of the input not carried out", lines, lines == 1 ? "" : "s");
}
