/* SPDX-License-Identifier: MIT */
/*
 * ACPI's fixed hardware (ACPI 6.5 4.8.3): the PM1 event and control registers, by which an
 * operating system switches the machine off, and the 3.579545 MHz power management timer.
 */
#ifndef HV_DEV_ACPI_PM_H
#define HV_DEV_ACPI_PM_H

#include "hv/dev/board.h"

#define ACPI_PM_EVENT   0x600 /* status at +0, enable at +2 */
#define ACPI_PM_CONTROL 0x604
#define ACPI_PM_TIMER   0x608
#define ACPI_PM_SCI     9
#define ACPI_PM_HZ      3579545
#define ACPI_PM_S5      5 /* the sleep type that dsdt.asl gives for soft off */

#define ACPI_PM_OFF_STATUS 0 /* with which a machine ends that is switched off */

struct acpi_pm {
	const struct board *board;
	uint16_t enable, control;
};

/* Registers the ports. The timer follows the board's clock, and stands if that has no rate. */
void acpi_pm_create(void *state, const struct board *board);

#endif
