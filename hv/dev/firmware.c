/* SPDX-License-Identifier: MIT */
/*
 * Writes the first megabyte as SeaBIOS would leave it, as far as kernels look. This comes before
 * the image is loaded, which may cover all of it but the ROM.
 */
#include "hv/dev/firmware.h"

#include "hv/dev/acpi.h"
#include "lib/acpi_tables.h"
#include "lib/pc.h"
#include "lib/string.h"

unsigned e820_make(struct e820_range *range, uint64_t low_end, uint64_t high_end)
{
	unsigned count = 0;

	range[count++] = (struct e820_range){0, FIRMWARE_EBDA, E820_RAM};
	range[count++] = (struct e820_range){FIRMWARE_EBDA, KiB, E820_RESERVED};
	range[count++] = (struct e820_range){ACPI_BASE, ACPI_SIZE, E820_RESERVED};
	range[count++] = (struct e820_range){MiB, low_end - MiB, E820_RAM};
	if (high_end) range[count++] = (struct e820_range){HIGH_RAM, high_end - HIGH_RAM, E820_RAM};
	return count;
}

/* The BIOS data area: where these words are, and what they say. */
enum { BDA_COM1 = 0x400, BDA_EBDA_SEGMENT = 0x40e, BDA_EQUIPMENT = 0x410, BDA_MEMORY_KIB = 0x413 };
#define EQUIPMENT_FPU        BIT(1)
#define EQUIPMENT_ONE_SERIAL BIT(9)

/* The CMOS memory's registers that are firmware's, the second byte of each size above the first. */
enum { CMOS_EQUIPMENT = 0x14, CMOS_BASE_KIB = 0x15, CMOS_ABOVE_1M_KIB = 0x17, CMOS_ABOVE_1M_KIB_TOO = 0x30 };
enum { CMOS_ABOVE_16M = 0x34, CMOS_ABOVE_4G = 0x5b, CMOS_CPUS = 0x5f };
enum { CMOS_CHECKED = 0x10, CMOS_CHECKSUM = 0x2e }; /* the sum of what is between, high byte first */
#define CMOS_UNIT (64 * KiB)                        /* of the last two sizes */

static void put_word(uint8_t *ram, uint64_t at, uint64_t value)
{
	const uint16_t word = (uint16_t)value;

	memcpy(ram + at, &word, sizeof(word));
}

/*
 * Handlers, in 16-bit code: one that returns, those that first acknowledge an interrupt of the
 * master or of both PICs, the timer's, which counts at 0x46c as well, and one that resets the machine.
 */
static const uint8_t just_return[] = {0xcf};
static const uint8_t acknowledge_master[] = {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf};
static const uint8_t acknowledge_both[] = {0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf};
static const uint8_t count_timer[] = {0x50, 0x1e, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06,
				      0x6c, 0x04, 0xb0, 0x20, 0xe6, 0x20, 0x1f, 0x58, 0xcf};
static const uint8_t reset[] = {0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xf4};
/* Where a PC's CPU begins, and who goes there begins again: to the fifth handler. Then the date, and the model. */
static const uint8_t begin[] = {0xea, 0x80, 0xff, 0x00, 0xf0, '0', '1', '/', '0', '1', '/', '2', '6', 0, 0xfc};

#define HANDLER_ROOM   0x20
#define CODE_SEGMENT   0xf000
#define VECTORS        256
#define VECTOR_TIMER   0x08
#define VECTOR_MASTER  0x09
#define VECTOR_SLAVE   0x70
#define VECTOR_BOOT    0x19
#define MASTER_VECTORS 7 /* beside the timer's */
#define SLAVE_VECTORS  8

/* Put a handler into the ROM and let 'count' vectors from 'first' on lead to it. */
static void put_handler(uint8_t *ram, unsigned number, const uint8_t *code, size_t size, unsigned first, unsigned count)
{
	uint64_t at = FIRMWARE_CODE + number * HANDLER_ROOM;

	memcpy(ram + at, code, size);
	for (unsigned vector = first; vector < first + count; vector++) {
		put_word(ram, vector * 4, at - CODE_SEGMENT * 16);
		put_word(ram, vector * 4 + 2, CODE_SEGMENT);
	}
}

void firmware_leave(uint8_t *ram)
{
	static const struct acpi_facs facs = {.signature = "FACS", .length = sizeof(facs), .version = 1};

	put_handler(ram, 0, just_return, sizeof(just_return), 0, VECTORS);
	put_handler(ram, 1, acknowledge_master, sizeof(acknowledge_master), VECTOR_MASTER, MASTER_VECTORS);
	put_handler(ram, 2, acknowledge_both, sizeof(acknowledge_both), VECTOR_SLAVE, SLAVE_VECTORS);
	put_handler(ram, 3, count_timer, sizeof(count_timer), VECTOR_TIMER, 1);
	put_handler(ram, 4, reset, sizeof(reset), VECTOR_BOOT, 1);
	memcpy(ram + FIRMWARE_BEGIN, begin, sizeof(begin));
	put_word(ram, BDA_COM1, COM1);
	put_word(ram, BDA_EBDA_SEGMENT, FIRMWARE_EBDA >> 4);
	put_word(ram, BDA_EQUIPMENT, EQUIPMENT_FPU | EQUIPMENT_ONE_SERIAL);
	put_word(ram, BDA_MEMORY_KIB, FIRMWARE_EBDA / KiB);
	ram[FIRMWARE_EBDA] = 1; /* its size in KiB */
	memcpy(ram + ACPI_FACS, &facs, sizeof(facs));
}

/* Units between two addresses, as many as a word can tell. */
static uint64_t units(uint64_t from, uint64_t end, uint64_t unit)
{
	return end > from ? MIN((end - from) / unit, (uint64_t)UINT16_MAX) : 0;
}

void firmware_keep(uint8_t cmos[CMOS_SIZE], uint64_t low_end, uint64_t high_end, unsigned cpus)
{
	uint16_t sum = 0;

	cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
	put_word(cmos, CMOS_BASE_KIB, FIRMWARE_EBDA / KiB);
	put_word(cmos, CMOS_ABOVE_1M_KIB, units(MiB, low_end, KiB));
	put_word(cmos, CMOS_ABOVE_1M_KIB_TOO, units(MiB, low_end, KiB));
	put_word(cmos, CMOS_ABOVE_16M, units(16 * MiB, low_end, CMOS_UNIT));
	put_word(cmos, CMOS_ABOVE_4G, units(HIGH_RAM, high_end, CMOS_UNIT));
	cmos[CMOS_CPUS] = (uint8_t)(cpus - 1);
	for (unsigned i = CMOS_CHECKED; i < CMOS_CHECKSUM; i++) sum = (uint16_t)(sum + cmos[i]);
	put_word(cmos, CMOS_CHECKSUM, __builtin_bswap16(sum));
}
