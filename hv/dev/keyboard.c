/* SPDX-License-Identifier: MIT */
/*
 * The PC's keyboard controller (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller"), to which neither a keyboard nor a mouse is plugged: ports 0x60 and
 * 0x64. It answers its own commands, and its output port resets the machine. Bytes for the devices it
 * lacks are taken and never answered.
 */
#include "hv/dev/devices.h"

#include "lib/bits.h"

#define KEYBOARD_LINE 1 /* of the ISA */
#define KEYBOARD_RAM  32

struct keyboard {
	const struct board *board;
	uint8_t ram[KEYBOARD_RAM]; /* [0] is the command byte */
	uint8_t output;            /* what port 0x60 reads */
	bool full;                 /* and it has not been read yet */
	bool passed;               /* the self test */
	uint8_t awaits;            /* the command whose parameter comes next, or 0 */
};

#define DATA_PORT    0x60
#define COMMAND_PORT 0x64

#define STATUS_FULL     BIT(0)
#define STATUS_PASSED   BIT(2)
#define STATUS_UNLOCKED BIT(4)

#define COMMAND_BYTE_IRQ      BIT(0)
#define COMMAND_BYTE_NO_INPUT BIT(4)
#define COMMAND_BYTE_NO_MOUSE BIT(5)

enum { READ_RAM = 0x20, WRITE_RAM = 0x60, SELF_TEST = 0xaa };
enum { MOUSE_OFF = 0xa7, MOUSE_ON = 0xa8, TEST_MOUSE_LINE = 0xa9 };
enum { TEST_KEYBOARD_LINE = 0xab, KEYBOARD_OFF = 0xad, KEYBOARD_ON = 0xae };
enum { READ_OUTPUT_PORT = 0xd0, WRITE_OUTPUT_PORT = 0xd1, WRITE_AS_KEYBOARD = 0xd2, WRITE_TO_MOUSE = 0xd4 };
enum { PULSE = 0xf0 }; /* to 0xff: the lines whose bits are 0 */
#define SELF_TEST_PASSED 0x55
#define LINE_PASSED      0x00
#define LINE_STUCK       0x02 /* the clock line is high: nothing is plugged in */
#define OUTPUT_NOT_RESET BIT(0)
#define OUTPUT_A20       BIT(1)

static void update_line(const struct keyboard *k)
{
	k->board->line(k->board->ctx, KEYBOARD_LINE, k->full && k->ram[0] & COMMAND_BYTE_IRQ);
}

static void answer(struct keyboard *k, uint8_t byte)
{
	k->output = byte;
	k->full = true;
}

static void command(struct keyboard *k, uint8_t value)
{
	k->awaits = 0;
	switch (value) {
	case READ_RAM ... READ_RAM + KEYBOARD_RAM - 1: answer(k, k->ram[value % KEYBOARD_RAM]); break;
	case WRITE_RAM ... WRITE_RAM + KEYBOARD_RAM - 1:
	case WRITE_OUTPUT_PORT ... WRITE_TO_MOUSE: k->awaits = value; break;
	case MOUSE_OFF: k->ram[0] |= COMMAND_BYTE_NO_MOUSE; break;
	case MOUSE_ON: k->ram[0] &= (uint8_t)~COMMAND_BYTE_NO_MOUSE; break;
	case SELF_TEST:
		k->passed = true;
		answer(k, SELF_TEST_PASSED);
		break;
	case TEST_KEYBOARD_LINE: answer(k, LINE_PASSED); break;
	case TEST_MOUSE_LINE: answer(k, LINE_STUCK); break;
	case KEYBOARD_OFF: k->ram[0] |= COMMAND_BYTE_NO_INPUT; break;
	case KEYBOARD_ON: k->ram[0] &= (uint8_t)~COMMAND_BYTE_NO_INPUT; break;
	case READ_OUTPUT_PORT: answer(k, OUTPUT_NOT_RESET | OUTPUT_A20); break;
	default:
		if (value >= PULSE && !(value & OUTPUT_NOT_RESET)) k->board->reset(k->board->ctx);
		break;
	}
}

/* A command's parameter, or a byte for a keyboard. */
static void data(struct keyboard *k, uint8_t value)
{
	uint8_t awaited = k->awaits;

	k->awaits = 0;
	if (awaited == WRITE_AS_KEYBOARD)
		answer(k, value);
	else if (awaited == WRITE_OUTPUT_PORT && !(value & OUTPUT_NOT_RESET))
		k->board->reset(k->board->ctx);
	else if (awaited && awaited < WRITE_RAM + KEYBOARD_RAM)
		k->ram[awaited % KEYBOARD_RAM] = value;
}

static void access_data(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct keyboard *k = device;

	(void)offset, (void)width;
	if (write) {
		data(k, (uint8_t)*value);
	} else {
		*value = k->output;
		k->full = false;
	}
	update_line(k);
}

static void access_command(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct keyboard *k = device;

	(void)offset, (void)width;
	if (write) {
		command(k, (uint8_t)*value);
		update_line(k);
	} else {
		*value = STATUS_UNLOCKED | (k->full ? STATUS_FULL : 0) | (k->passed ? STATUS_PASSED : 0);
	}
}

static void create(void *state, const struct board *board)
{
	struct keyboard *k = state;

	k->board = board;
	k->passed = true; /* firmware's test */
	bus_add(board->ports, DATA_PORT, 1, access_data, k, board->name);
	bus_add(board->ports, COMMAND_PORT, 1, access_command, k, "keyboard command");
}

const struct device_row keyboard_device = {.name = "keyboard", .size = sizeof(struct keyboard), .create = create};
