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

/* Word registers, which may be read or written two at once; and the timer, a dword. */
static void acpi_pm_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct acpi_pm *pm = device;

	if (!write) {
		*value = 0;
		if (offset == TIMER)
			*value = (uint32_t)board_clock(pm->board, ACPI_PM_HZ); /* ACPI 6.5 4.8.3.3 */
		else if (offset == CONTROL)
			*value = pm->control;
		else if (offset == ENABLE)
			*value = pm->enable;
		else if (offset == 0) /* status: no event, ever */
			*value = (uint64_t)pm->enable << 16;
	} else if (offset == CONTROL && width >= 2) {
		write_control(pm, *value);
	} else if (offset == ENABLE && width == 2) {
		pm->enable = (uint16_t)(*value & ENABLE_WRITABLE);
	} else if (offset == 0 && width == 4) {
		pm->enable = (uint16_t)(*value >> 16 & ENABLE_WRITABLE);
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
