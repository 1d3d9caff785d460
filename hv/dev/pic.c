/* SPDX-License-Identifier: MIT */
/*
 * Two cascaded 8259As. The 8080 mode and buffering of the chip are not here: a PC has no use for
 * them.
 */
#include "hv/dev/pic.h"

#include "hv/dev/devices.h"
#include "hv/dev/irq.h"
#include "lib/bits.h"
#include "lib/pc.h"

#define ELCR_PORT 0x4d0
#define TIMER     0

/* In a write to the first port; where ICW1 is 0, 0x08 tells OCW3 from OCW2. */
#define ICW1_SINGLE 0x02
#define ICW4_NESTED 0x10
#define OCW3        0x08
#define OCW3_READ   0x02
#define OCW3_ISR    0x01
#define OCW3_POLL   0x04
#define OCW3_MASK   0x40 /* bit 5 is the new special mask mode */

/* OCW2 bits 7:5. */
enum { ROTATE_AUTO_OFF = 0, EOI = 1, NO_OPERATION = 2, EOI_SPECIFIC = 3 };
enum { ROTATE_AUTO_ON = 4, EOI_ROTATE = 5, SET_PRIORITY = 6, EOI_SPECIFIC_ROTATE = 7 };

/* The input of highest priority among 'inputs', 8 when there is none. */
static unsigned first(const struct pic_chip *chip, uint8_t inputs)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned input = (chip->lowest + i) % 8;

		if (inputs >> input & 1) return input;
	}
	return 8;
}

/* How far 'input' is from the highest priority; 8, no input, is the farthest. */
static unsigned distance(const struct pic_chip *chip, unsigned input)
{
	return input == 8 ? 8 : (input + 7U - chip->lowest) % 8;
}

/* The input the chip asks an acknowledge for, or 8. */
static unsigned requested(const struct pic_chip *chip)
{
	unsigned input = first(chip, chip->irr & (uint8_t)~chip->imr);
	uint8_t serviced = chip->isr;

	if (chip->special_mask) serviced &= (uint8_t)~chip->imr;
	if (chip->special_nested) /* the slave may interrupt itself */
		serviced &= (uint8_t) ~(1U << PIC_CASCADE);
	return distance(chip, input) < distance(chip, first(chip, serviced)) ? input : 8;
}

static void set_input(struct pic_chip *chip, unsigned input, bool level)
{
	uint8_t bit = (uint8_t)(1U << input);

	if (level && (!(chip->lines & bit) || chip->level & bit)) chip->irr |= bit;
	if (!level) /* an edge must stay until it is acknowledged */
		chip->irr &= (uint8_t)~bit;
	chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
}

/* The slave's output is an input of the master. */
static void cascade(struct pic *pic) { set_input(&pic->chip[0], PIC_CASCADE, requested(&pic->chip[1]) != 8); }

static void tell_cpu(const struct pic *pic)
{
	if (pic_pending(pic)) pic->board->extint(pic->board->ctx);
}

void pic_set(struct pic *pic, unsigned line, bool level)
{
	if (line == PIC_CASCADE) return;
	set_input(&pic->chip[line / 8], line % 8, level);
	if (line >= 8) cascade(pic);
	tell_cpu(pic);
}

/* Mostly all that asks is masked. */
bool pic_pending(const struct pic *pic)
{
	const struct pic_chip *master = &pic->chip[0];

	return master->irr & ~master->imr && requested(master) != 8;
}

/* One chip's part of an acknowledge; returns the input, 7 without in-service bit if it is gone. */
static unsigned acknowledge(struct pic_chip *chip)
{
	unsigned input = requested(chip);
	uint8_t bit = (uint8_t)(1U << input);

	if (input == 8) return 7;
	if (!(chip->level & bit)) chip->irr &= (uint8_t)~bit;
	if (!chip->auto_eoi)
		chip->isr |= bit;
	else if (chip->auto_rotate)
		chip->lowest = (uint8_t)input;
	return input;
}

uint8_t pic_accept(struct pic *pic)
{
	struct pic_chip *chip = &pic->chip[0];
	unsigned input = acknowledge(chip);

	/* The cascade is not an edge to be used up: it is asserted as long as the slave asks. */
	if (input == PIC_CASCADE) {
		chip = &pic->chip[1];
		input = acknowledge(chip);
		set_input(&pic->chip[0], PIC_CASCADE, false);
		cascade(pic);
	}
	irq_look(pic->board->chips->irq);
	return (uint8_t)(chip->base + input);
}

static void end_of_interrupt(struct pic_chip *chip, unsigned input, bool rotate)
{
	if (input == 8) return;
	chip->isr &= (uint8_t) ~(1U << input);
	if (rotate) chip->lowest = (uint8_t)input;
}

static void write_ocw2(struct pic_chip *chip, uint8_t value)
{
	unsigned named = value & 7;
	uint8_t serviced = chip->isr;

	if (chip->special_mask) serviced &= (uint8_t)~chip->imr;
	switch (value >> 5) {
	case EOI:
	case EOI_ROTATE: end_of_interrupt(chip, first(chip, serviced), value >> 5 == EOI_ROTATE); break;
	case EOI_SPECIFIC:
	case EOI_SPECIFIC_ROTATE: end_of_interrupt(chip, named, value >> 5 == EOI_SPECIFIC_ROTATE); break;
	case SET_PRIORITY: chip->lowest = (uint8_t)named; break;
	case ROTATE_AUTO_ON:
	case ROTATE_AUTO_OFF: chip->auto_rotate = value >> 5 == ROTATE_AUTO_ON; break;
	default: /* NO_OPERATION */ break;
	}
}

static void write_ocw3(struct pic_chip *chip, uint8_t value)
{
	if (value & OCW3_MASK) chip->special_mask = value & OCW3_MASK >> 1;
	if (value & OCW3_POLL)
		chip->poll = true;
	else if (value & OCW3_READ)
		chip->read_isr = value & OCW3_ISR;
}

/* ICW1 resets all but the edge/level register; a level that stands asks again. */
static void write_icw1(struct pic_chip *chip, uint8_t value)
{
	*chip = (struct pic_chip){
		.pic = chip->pic,
		.lines = chip->lines,
		.irr = chip->lines & chip->level,
		.level = chip->level,
		.base = chip->base,
		.lowest = 7,
		.expects = 2,
		.icw4 = value & ICW1_ICW4,
		.single = value & ICW1_SINGLE,
	};
}

/* The second port: the initialization words that ICW1 announced, then the mask. */
static void write_data(struct pic_chip *chip, uint8_t value)
{
	switch (chip->expects) {
	case 2:
		chip->base = value & 0xf8;
		chip->expects = !chip->single ? 3 : chip->icw4 ? 4 : 0;
		break;
	case 3: /* where the cascade is; a PC's is wired to line 2 */ chip->expects = chip->icw4 ? 4 : 0; break;
	case 4:
		chip->auto_eoi = value & ICW4_AUTO;
		chip->special_nested = value & ICW4_NESTED;
		chip->expects = 0;
		break;
	default: chip->imr = value; break;
	}
}

static uint8_t read_command(struct pic_chip *chip)
{
	if (chip->poll) {
		bool asks = requested(chip) != 8;

		chip->poll = false;
		return asks ? (uint8_t)(0x80 | acknowledge(chip)) : 0;
	}
	return chip->read_isr ? chip->isr : chip->irr;
}

static void write_byte(struct pic_chip *chip, unsigned port, uint8_t value)
{
	if (port)
		write_data(chip, value);
	else if (value & ICW1)
		write_icw1(chip, value);
	else if (value & OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

/* The ports are bytes: of a wider access the low byte counts. */
static void chip_access(void *device, uint64_t port, unsigned width, bool write, uint64_t *value)
{
	struct pic_chip *chip = device;

	(void)width;
	if (write)
		write_byte(chip, (unsigned)port, (uint8_t)*value);
	else
		*value = port ? chip->imr : read_command(chip);
	cascade(chip->pic);
	tell_cpu(chip->pic);
	irq_look(chip->pic->board->chips->irq);
}

/* Edge/level registers: lines 0-2, 8 and 13 are always edges. */
static void elcr_access(void *device, uint64_t port, unsigned width, bool write, uint64_t *value)
{
	static const uint8_t writable[] = {0xf8, 0xde};
	struct pic *pic = device;

	(void)width;
	if (!write) {
		*value = pic->chip[port].level;
		return;
	}
	pic->chip[port].level = (uint8_t)*value & writable[port];
	cascade(pic);
}

/*
 * As firmware leaves them: initialized, vectors 0x08 and 0x70, all lines but the cascade masked.
 */
static void create(void *state, const struct board *board)
{
	struct pic *pic = state;

	pic->board = board;
	pic->chip[0] = (struct pic_chip){
		.pic = pic, .base = 0x08, .imr = (uint8_t) ~(1U << TIMER | 1U << PIC_CASCADE), .lowest = 7};
	pic->chip[1] = (struct pic_chip){.pic = pic, .base = 0x70, .imr = 0xff, .lowest = 7};
	bus_add(board->ports, PIC_MASTER, 2, chip_access, &pic->chip[0], board->name);
	bus_add(board->ports, PIC_SLAVE, 2, chip_access, &pic->chip[1], "pic 2");
	bus_add(board->ports, ELCR_PORT, 2, elcr_access, pic, "elcr");
	board->chips->pic = pic;
}

const struct device_row pic_device = {.name = "pic", .size = sizeof(struct pic), .create = create};
