/* SPDX-License-Identifier: MIT */
/*
 * The part of gdb's remote serial protocol (GDB manual, appendix E) that looks at one guest:
 * registers, memory by linear addresses, continue, step. Breakpoints gdb writes into the code
 * itself, as INT3, which exits while a gdb is there. A packet is read to its end; what is not known
 * gets the empty answer, by which gdb does without.
 */
#include "hv/monitor/gdb.h"

#include "hv/machine/console.h"
#include "hv/machine/pic.h"
#include "hv/machine/serial.h"
#include "hv/monitor/look.h"
#include "hv/vm/run.h"
#include "hv/vm/step.h"
#include "lib/string.h"

#define PACKET_MAX 1024 /* characters; "400" in the answer to qSupported */
#define INTERRUPT  0x03
#define WAIT_TICKS 100000000UL /* for the rest of a packet */

static struct vm *vm;
static struct vcpu *vcpu; /* whose registers gdb sees */
static bool owes_stop;    /* gdb waits for the guest to stop */
static char packet[PACKET_MAX + 1], answer[PACKET_MAX + 1];
static unsigned length; /* of the answer */

static const char digits[] = "0123456789abcdef";

static void put_char(char c)
{
	if (length < PACKET_MAX) answer[length++] = c;
}

static void put_text(const char *text)
{
	while (*text) put_char(*text++);
}

/* As it lies in memory: the lowest byte first. */
static void put_bytes(uint64_t value, unsigned bytes)
{
	for (; bytes; bytes--, value >>= 8) {
		put_char(digits[value >> 4 & 15]);
		put_char(digits[value & 15]);
	}
}

static void send_raw(const char *text, unsigned size)
{
	while (size) {
		unsigned sent = serial_send(COM2, text, size);

		if (!sent) serial_wait_empty(COM2);
		text += sent;
		size -= sent;
	}
}

static void send_answer(void)
{
	uint8_t sum = 0;
	char end[3];

	for (unsigned i = 0; i < length; i++) sum += (uint8_t)answer[i];
	end[0] = '#';
	end[1] = digits[sum >> 4];
	end[2] = digits[sum & 15];
	send_raw("$", 1);
	send_raw(answer, length);
	send_raw(end, sizeof(end));
	length = 0;
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* A number, the highest digit first; *text is behind it then. */
static uint64_t take_number(const char **text)
{
	uint64_t value = 0;

	for (; digit(**text) >= 0; (*text)++) value = value << 4 | (unsigned)digit(**text);
	if (**text == ',' || **text == ':') (*text)++;
	return value;
}

/* So many bytes as they lie in memory; false where the text ends before. */
static bool take_bytes(const char **text, unsigned bytes, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < bytes; i++, *text += 2) {
		if (digit((*text)[0]) < 0 || digit((*text)[1]) < 0) return false;
		*value |= (uint64_t)(digit((*text)[0]) << 4 | digit((*text)[1])) << 8 * i;
	}
	return true;
}

/* gdb's order of the general registers, by their encoding; then RIP, EFLAGS and six selectors. */
static const uint8_t order[] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t segments[] = {VMCS_CS, VMCS_SS, VMCS_DS, VMCS_ES, VMCS_FS, VMCS_GS};

static void read_registers(void)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);

	if (vcpu->stepping && !vcpu->own_trap_flag) rflags &= ~RFLAGS_TF;
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) put_bytes(vcpu_register(vcpu, order[i]), 8);
	put_bytes(vmread(VMCS_GUEST_RIP), 8);
	put_bytes(rflags, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) put_bytes(vmread(VMCS_GUEST_SELECTOR(segments[i])), 4);
}

/* What gdb may change: the general registers and RIP. The others an entry might refuse. */
static void write_registers(const char *text)
{
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (take_bytes(&text, 8, &value)) vcpu_set_register(vcpu, order[i], value);
	if (take_bytes(&text, 8, &value)) vmwrite(VMCS_GUEST_RIP, value);
	put_text("OK");
}

static void read_memory(const char *text)
{
	uint64_t linear = take_number(&text), size = take_number(&text), gpa;
	uint8_t byte;

	for (; size && length + 2 <= PACKET_MAX; size--, linear++) {
		if (!look_up_linear(vcpu, linear, &gpa) || guest_ram_read(&vcpu->ram, gpa, &byte, 1)) break;
		put_bytes(byte, 1);
	}
	if (!length) put_text("E0e"); /* EFAULT */
}

static void write_memory(const char *text)
{
	uint64_t linear = take_number(&text), size = take_number(&text), gpa, byte;

	for (; size; size--, linear++)
		if (!look_up_linear(vcpu, linear, &gpa) || !take_bytes(&text, 1, &byte) ||
		    guest_ram_write(&vcpu->ram, gpa, &byte, 1)) {
			put_text("E0e");
			return;
		}
	put_text("OK");
}

/* Why nothing runs: the guest's end, or a trap. */
static void put_stop(void)
{
	owes_stop = false;
	if (vm->state == VM_EXITED) {
		put_text("W");
		put_bytes(vm->status, 1);
	} else {
		put_text(vm->state == VM_KILLED ? "X09" : "S05");
	}
}

static void step(void)
{
	if (vm->state == VM_RUNNING) vcpu_step(vcpu);
	put_stop();
}

static void go_on(void)
{
	owes_stop = true;
	run_continue();
}

static void query(const char *text)
{
	if (!memcmp(text, "Supported", 9))
		put_text("PacketSize=400");
	else if (!memcmp(text, "Attached", 8))
		put_text("1");
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
	case 's': step(); break;
	case 'c': go_on(); return;
	case 'k':
		vm_kill(vm, "by the operator");
		run_continue();
		return;
	case 'D':
		run_continue();
		put_text("OK");
		break;
	case 'H': put_text("OK"); break;
	case 'q': query(text); break;
	}
	send_answer();
}

/* The next byte of a packet that has begun, or -1 when it does not come. */
static int next_byte(void)
{
	uint64_t end = rdtsc() + WAIT_TICKS;
	int byte;

	while ((byte = serial_receive(COM2)) < 0)
		if (rdtsc() > end) return -1;
	return byte;
}

/* Behind the '$'; false when it is broken, or longer than was agreed. */
static bool receive_packet(void)
{
	unsigned size = 0;
	uint8_t sum = 0;
	int byte;

	while ((byte = next_byte()) != '#') {
		if (byte < 0 || size == PACKET_MAX) return false;
		packet[size++] = (char)byte;
		sum += (uint8_t)byte;
	}
	packet[size] = '\0';
	return next_byte() == digits[sum >> 4] && next_byte() == digits[sum & 15];
}

void gdb_init(struct vm *const *vms, unsigned count)
{
	vm = vms[0];
	serial_init(COM2);
	pic_unmask(PIC_LINE_COM2);
	for (unsigned i = 0; i < count; i++)
		for (unsigned n = 0; n < vms[i]->vcpus; n++) {
			vcpu_switch_to(vms[i]->vcpu[n]);
			vcpu_intercept_breakpoints(vms[i]->vcpu[n]);
		}
	print("gdb: vm %s waits on the second serial port", vm->options.name);
	run_stop();
}

/* The vCPU that gdb sees is on the CPU; a VM that was reset has new ones. */
static void choose_vcpu(void)
{
	struct vcpu *stopped = vcpu_at_breakpoint();

	vcpu = vm->vcpu[0];
	for (unsigned n = 0; n < vm->vcpus; n++)
		if (vm->vcpu[n] == stopped) vcpu = stopped;
	vcpu_switch_to(vcpu);
	vcpu_intercept_breakpoints(vcpu);
}

void gdb_poll(void)
{
	int byte;

	if (vm && owes_stop && (run_is_stopped() || vm->state != VM_RUNNING)) {
		put_stop();
		send_answer();
	}
	if (!vm || !vm->ram) /* it has ended, and gave back all it had */
		return;
	choose_vcpu();
	while ((byte = serial_receive(COM2)) >= 0) {
		if (byte == INTERRUPT) run_stop();
		if (byte != '$') continue; /* an acknowledgement */
		if (receive_packet()) {
			send_raw("+", 1);
			act(packet);
		} else {
			send_raw("-", 1);
		}
	}
}
