/* SPDX-License-Identifier: MIT */
/*
 * ACPI's fixed hardware (ACPI 6.5 4.8.3): the PM1 event and control registers, by which an operating
 * system switches the machine off, and the 3.579545 MHz power management timer. There are no events:
 * no status bit is ever set, so no SCI is ever raised.
 */
#include "hv/dev/acpi.h"
#include "hv/dev/devices.h"
#include "lib/bits.h"

struct acpi_pm {
	const struct board *board;
	uint16_t enable, control;
};

#define SIZE            16
#define ENABLE          2
#define CONTROL         (ACPI_PM_CONTROL - ACPI_PM_EVENT)
#define TIMER           (ACPI_PM_TIMER - ACPI_PM_EVENT)
#define ENABLE_WRITABLE 0x0721 /* timer, global lock, power and sleep button, RTC */

#define CONTROL_SCI        BIT(0) /* set: in ACPI mode, as there is no SMI command */
#define CONTROL_SLEEP_TYPE BITS(12, 10)
#define CONTROL_SLEEP      BIT(13) /* write-only */
#define CONTROL_WRITABLE   (CONTROL_SLEEP_TYPE | BITS(2, 1))

static void write_control(struct acpi_pm *pm, uint64_t value)
{
	pm->control = (uint16_t)((value & CONTROL_WRITABLE) | CONTROL_SCI);
	if (value & CONTROL_SLEEP && FIELD(value, CONTROL_SLEEP_TYPE) == ACPI_PM_S5)
		pm->board->exit(pm->board->ctx, ACPI_PM_OFF_STATUS);
}

/* Registers in any size (ACPI 6.5 4.8.3): the status (no event, ever), what enables it, control; and the timer. */
static void acpi_pm_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct acpi_pm *pm = device;
	uint64_t registers = (uint64_t)pm->enable << 8 * ENABLE | (uint64_t)pm->control << 8 * CONTROL;
	uint64_t mask = BITS(8 * width - 1, 0);

	if (offset >= TIMER) {
		if (!write) *value = offset == TIMER ? (uint32_t)board_clock(pm->board, ACPI_PM_HZ) : 0;
	} else if (!write) {
		*value = registers >> 8 * offset;
	} else {
		registers = (registers & ~(mask << 8 * offset)) | *value << 8 * offset;
		pm->enable = registers >> 8 * ENABLE & ENABLE_WRITABLE;
		if (offset + width > CONTROL) write_control(pm, registers >> 8 * CONTROL);
	}
}

static void create(void *state, const struct board *board)
{
	struct acpi_pm *pm = state;

	pm->board = board;
	pm->control = CONTROL_SCI;
	bus_add(board->ports, ACPI_PM_EVENT, SIZE, acpi_pm_access, pm, board->name);
}

const struct device_row acpi_pm_device = {.name = "acpi pm", .size = sizeof(struct acpi_pm), .create = create};
