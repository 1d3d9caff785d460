/* SPDX-License-Identifier: MIT */
/*
 * The part of gdb's remote serial protocol (GDB manual, appendix E) that looks at one guest:
 * registers, memory by linear addresses, continue, step. gdb itself writes breakpoints into the
 * code, as INT3, which exits while a gdb is there. A packet is read to its end. One that is not
 * known gets the empty answer, and gdb does without it.
 */
#include "hv/monitor/monitor.h"

#include "hv/machine/console.h"
#include "hv/machine/pic.h"
#include "hv/machine/serial.h"
#include "hv/vm/run.h"
#include "hv/vm/step.h"
#include "lib/format.h"

#define PACKET_MAX 1024 /* characters; "400" in the answer to qSupported */
#define INTERRUPT  0x03

static struct vm *vm;
static struct vcpu *vcpu; /* whose registers gdb sees */
static bool owes_stop;    /* gdb waits for the guest to stop */
static char packet[sizeof("$#00") + PACKET_MAX], answer[PACKET_MAX + 1];
static unsigned length; /* of the packet, as far as it has come */

#define put(...) format_append(answer, sizeof(answer), __VA_ARGS__)

/* As it lies in memory: the lowest byte first. */
static void put_bytes(uint64_t value, unsigned bytes)
{
	for (; bytes; bytes--, value >>= 8) put("%02lx", value & 0xff);
}

static void send_raw(const char *text)
{
	while (*text) {
		unsigned sent = serial_send(COM2, text, (unsigned)strlen(text));

		if (!sent) serial_wait(COM2, LSR_EMPTY);
		text += sent;
	}
}

static uint8_t sum(const char *text)
{
	uint8_t sum = 0;

	while (*text) sum += (uint8_t)*text++;
	return sum;
}

/* The answer in its frame, with its sum. */
static void send_answer(void)
{
	static char frame[sizeof(packet)];

	frame[0] = '\0';
	format_append(frame, sizeof(frame), "$%s#%02x", answer, sum(answer));
	send_raw(frame);
	answer[0] = '\0';
}

/* A number, the highest digit first; *text is behind it then. */
static uint64_t take_number(const char **text)
{
	uint64_t value = 0;

	for (; digit_value(**text) < 16; (*text)++) value = value << 4 | digit_value(**text);
	if (**text == ',' || **text == ':') (*text)++;
	return value;
}

/* So many bytes as they lie in memory; false where the text ends before. */
static bool take_bytes(const char **text, unsigned bytes, uint64_t *value)
{
	*value = 0;
	if (strlen(*text) < 2 * (size_t)bytes) return false;
	for (unsigned i = 0; i < bytes; i++, *text += 2)
		*value |= (uint64_t)(digit_value((*text)[0]) << 4 | digit_value((*text)[1])) << 8 * i;
	return true;
}

/* gdb's order of the general registers, by their encoding; then RIP, EFLAGS and six selectors. */
static const uint8_t order[] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t segments[] = {VMCS_CS, VMCS_SS, VMCS_DS, VMCS_ES, VMCS_FS, VMCS_GS};

static void read_registers(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) put_bytes(vcpu_register(vcpu, order[i]), 8);
	put_bytes(vmread(VMCS_GUEST_RIP), 8);
	put_bytes(vmread(VMCS_GUEST_RFLAGS), 4);
	for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) put_bytes(vmread(VMCS_GUEST_SELECTOR(segments[i])), 4);
}

/* What gdb may change: the general registers and RIP. The others an entry might refuse. */
static void write_registers(const char *text)
{
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (take_bytes(&text, 8, &value)) vcpu_set_register(vcpu, order[i], value);
	if (take_bytes(&text, 8, &value)) vmwrite(VMCS_GUEST_RIP, value);
	put("OK");
}

static void read_memory(const char *text)
{
	uint64_t linear = take_number(&text), size = take_number(&text), gpa;
	uint8_t byte;

	for (; size && strlen(answer) < PACKET_MAX - 1; size--, linear++) {
		if (!monitor_translate(vcpu, linear, &gpa) || guest_ram_read(&vcpu->ram, gpa, &byte, 1)) break;
		put_bytes(byte, 1);
	}
	if (!answer[0]) put("E0e"); /* EFAULT */
}

static void write_memory(const char *text)
{
	uint64_t linear = take_number(&text), size = take_number(&text), gpa, byte;

	for (; size; size--, linear++)
		if (!monitor_translate(vcpu, linear, &gpa) || !take_bytes(&text, 1, &byte) ||
		    guest_ram_write(&vcpu->ram, gpa, &byte, 1)) {
			put("E0e");
			return;
		}
	put("OK");
}

/* Why nothing runs: the guest's end, or a trap. */
static void put_stop(void)
{
	owes_stop = false;
	if (vm->state == VM_EXITED)
		put("W%02x", vm->status & 0xff);
	else
		put("%s", vm->state == VM_KILLED ? "X09" : "S05");
}

static void query(const char *text)
{
	if (!memcmp(text, "Supported", 9))
		put("PacketSize=400");
	else if (!memcmp(text, "Attached", 8))
		put("1");
}

/* A packet: answer it, unless the answer is the next stop. */
static void act(const char *text)
{
	switch (*text++) {
	case '?': put_stop(); break;
	case 'g': read_registers(); break;
	case 'G': write_registers(text); break;
	case 'm': read_memory(text); break;
	case 'M': write_memory(text); break;
	case 's':
		if (vm->state == VM_RUNNING) vcpu_step(vcpu);
		put_stop();
		break;
	case 'c':
		owes_stop = true;
		run_continue();
		return;
	case 'k':
		vm_kill(vm, "by the operator");
		run_continue();
		return;
	case 'D':
		run_continue();
		put("OK");
		break;
	case 'q': query(text); break;
	}
	send_answer();
}

/* "$...#" and its sum: a packet is whole. */
static void take_packet(void)
{
	const char *said = packet + length - 2;
	bool good;

	packet[length - 3] = packet[length] = '\0';
	good = sum(packet + 1) == take_number(&said);
	length = 0;
	send_raw(good ? "+" : "-");
	if (good) act(packet + 1);
}

/* A packet longer than was agreed begins anew, and so is none. Between packets are acknowledgements. */
static void hear(int byte)
{
	if (byte == INTERRUPT) run_stop();
	if (byte == '$' || length == sizeof(packet) - 1) length = 0;
	packet[length++] = (char)byte;
	if (packet[0] == '$' && length > 3 && packet[length - 3] == '#') take_packet();
}

void gdb_init(void)
{
	vm = vms[0];
	serial_init(COM2);
	pic_unmask(COM2_LINE);
	print("gdb: vm %s waits on the second serial port", vm->options.name);
	run_stop();
}

/* The vCPU that gdb sees is on the CPU, and all have breakpoints; a VM that was reset has new ones. */
static void choose_vcpu(void)
{
	static int seen; /* its id */
	int stopped;
	bool stay = run_is_stopped(); /* so behind the loop, for which each was let go, nobody is at an INT3 any more */

	for (unsigned n = 0; n < vm->vcpus; n++) {
		vcpu_switch_to(vm->vcpu[n]);
		vcpu_intercept_breakpoints(vm->vcpu[n]);
	}
	if (stay && (stopped = vcpu_take_breakpoint()) >= 0) seen = stopped;
	vcpu = vm->vcpu[seen];
	vcpu_switch_to(vcpu);
}

void gdb_poll(void)
{
	bool chosen = false;
	int byte;

	if (vm && owes_stop && (run_is_stopped() || vm->state != VM_RUNNING)) {
		put_stop();
		send_answer();
	}
	if (!vm || !vm->ram) /* it has ended, and gave back all it had */
		return;
	while ((byte = serial_receive(COM2)) >= 0) {
		if (!chosen) choose_vcpu(); /* not at each poll: they may run on other CPUs */
		chosen = true;
		hear(byte);
	}
}
