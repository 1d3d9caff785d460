/* SPDX-License-Identifier: MIT */
/*
 * IOAPIC: pins become messages. It knows no CPU: what becomes of a message is not decided here.
 */
#include "hv/dev/ioapic.h"

#include "hv/dev/devices.h"
#include "hv/dev/irq.h"
#include "lib/apic.h"

/* The page: an index, the register it selects, and an EOI register (as of version 0x20). */
#define IOREGSEL 0x00
#define IOWIN    0x10
#define EOI      0x40

#define REG_ID          0x00
#define REG_VERSION     0x01
#define REG_ARBITRATION 0x02
#define REG_ENTRY       0x10 /* two per pin, the low half first */
#define VERSION         (IOAPIC_VERSION | (IOAPIC_PINS - 1) << 16)

/* Redirection entry (82093AA 3.2.4; VT-d 5.1.5.1 for bits 63:48 and 11 of the remappable one). */
#define ENTRY_VECTOR      BITS(7, 0)
#define ENTRY_MODE        BITS(10, 8)
#define ENTRY_BIT_11      BIT(11) /* destination mode, or index bit 15 */
#define ENTRY_REMOTE_IRR  BIT(14)
#define ENTRY_LEVEL       BIT(15)
#define ENTRY_MASKED      BIT(16)
#define ENTRY_DESTINATION BITS(63, 48) /* destination, or index and format */
#define ENTRY_WRITABLE    (ENTRY_DESTINATION | BITS(16, 15) | BITS(13, 13) | BITS(11, 0))

#define MESSAGE_COPIED BITS(19, 4) /* of an interrupt message: ENTRY_DESTINATION */

/*
 * Send the pin's interrupt. Both formats of an entry copy the same bits to the same places: what
 * they mean is decided where the message is received.
 */
static void send(struct ioapic *ioapic, uint64_t entry)
{
	const struct board *board = ioapic->board;
	uint64_t address = MESSAGE_BASE | TO_FIELD(FIELD(entry, ENTRY_DESTINATION), MESSAGE_COPIED);
	uint64_t data = entry & (ENTRY_VECTOR | ENTRY_MODE | ENTRY_LEVEL);

	if (entry & ENTRY_BIT_11) address |= MESSAGE_LOGICAL;
	if (entry & ENTRY_LEVEL) data |= COMMAND_ASSERT;
	board->message(board->ctx, board->source_id, address, (uint32_t)data);
}

/* A level-triggered pin interrupts while it is asserted, once per EOI. */
static void service_level(struct ioapic *ioapic, unsigned pin)
{
	uint64_t *entry = &ioapic->entry[pin];

	if ((*entry & (ENTRY_LEVEL | ENTRY_MASKED | ENTRY_REMOTE_IRR)) != ENTRY_LEVEL || !(ioapic->levels & BIT(pin)))
		return;
	*entry |= ENTRY_REMOTE_IRR;
	send(ioapic, *entry);
}

/* An edge while the pin is masked is lost (82093AA 3.2.4, interrupt mask). */
void ioapic_set(struct ioapic *ioapic, unsigned pin, bool level)
{
	uint32_t bit = 1U << pin;
	bool rises = level && !(ioapic->levels & bit);

	ioapic->levels = level ? ioapic->levels | bit : ioapic->levels & ~bit;
	if (rises && !(ioapic->entry[pin] & (ENTRY_LEVEL | ENTRY_MASKED))) send(ioapic, ioapic->entry[pin]);
	service_level(ioapic, pin);
}

bool ioapic_is_masked(const struct ioapic *ioapic, unsigned pin) { return ioapic->entry[pin] & ENTRY_MASKED; }

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t entry = ioapic->entry[pin];

		if (FIELD(entry, ENTRY_VECTOR) != vector || !(entry & ENTRY_REMOTE_IRR)) continue;
		ioapic->entry[pin] &= ~ENTRY_REMOTE_IRR;
		service_level(ioapic, pin);
	}
}

static void write_entry(struct ioapic *ioapic, unsigned pin, uint64_t value, uint64_t half)
{
	uint64_t writable = ENTRY_WRITABLE & half;
	uint64_t *entry = &ioapic->entry[pin];

	*entry = (*entry & ~writable) | (value & writable);
	if (!(*entry & ENTRY_LEVEL)) /* an edge has nothing to acknowledge */
		*entry &= ~ENTRY_REMOTE_IRR;
	service_level(ioapic, pin);
	irq_look(ioapic->board->chips->irq);
}

static uint32_t read_window(const struct ioapic *ioapic)
{
	unsigned half = ioapic->select - REG_ENTRY;

	switch (ioapic->select) {
	case REG_ID:
	case REG_ARBITRATION: return ioapic->id;
	case REG_VERSION: return VERSION;
	default:
		if (half >= 2 * IOAPIC_PINS) return 0xffffffff;
		return (uint32_t)(ioapic->entry[half / 2] >> 32 * (half % 2));
	}
}

static void write_window(struct ioapic *ioapic, uint32_t value)
{
	unsigned half = ioapic->select - REG_ENTRY;

	if (ioapic->select == REG_ID)
		ioapic->id = value & 0x0f000000;
	else if (half < 2 * IOAPIC_PINS && half % 2)
		write_entry(ioapic, half / 2, (uint64_t)value << 32, BITS(63, 32));
	else if (half < 2 * IOAPIC_PINS)
		write_entry(ioapic, half / 2, value, BITS(31, 0));
}

/* IOREGSEL and EOI take bytes too; the window is 4 bytes wide. */
static void ioapic_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct ioapic *ioapic = device;

	if (!write) {
		*value = 0;
		if (offset == IOREGSEL)
			*value = ioapic->select;
		else if (offset == IOWIN && width == 4)
			*value = read_window(ioapic);
	} else if (offset == IOREGSEL) {
		ioapic->select = (uint8_t)*value;
	} else if (offset == IOWIN && width == 4) {
		write_window(ioapic, (uint32_t)*value);
	} else if (offset == EOI) {
		ioapic_eoi(ioapic, (uint8_t)*value);
	}
}

/* Reset state, every pin masked. */
static void create(void *state, const struct board *board)
{
	struct ioapic *ioapic = state;

	ioapic->board = board;
	ioapic->id = IOAPIC_ID << 24;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) ioapic->entry[pin] = ENTRY_MASKED;
	bus_add(board->mmio, IOAPIC_BASE, IOAPIC_SIZE, ioapic_access, ioapic, board->name);
	board->chips->ioapic = ioapic;
}

const struct device_row ioapic_device = {
	.name = "ioapic", .size = sizeof(struct ioapic), .create = create, .source_id = IOAPIC_SOURCE_ID};
