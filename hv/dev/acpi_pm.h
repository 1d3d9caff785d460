/* SPDX-License-Identifier: MIT */
/*
 * ACPI's fixed hardware (ACPI 6.5 4.8.3): the PM1 event and control registers, by which an
 * operating system switches the machine off, and the 3.579545 MHz power management timer.
 */
#ifndef HV_DEV_ACPI_PM_H
#define HV_DEV_ACPI_PM_H

#include <stdint.h>

#include "hv/dev/bus.h"

#define ACPI_PM_EVENT   0x600 /* status at +0, enable at +2 */
#define ACPI_PM_CONTROL 0x604
#define ACPI_PM_TIMER   0x608
#define ACPI_PM_SCI     9
#define ACPI_PM_HZ      3579545
#define ACPI_PM_S5      5 /* the sleep type that dsdt.asl gives for soft off */

struct acpi_pm {
	void *ctx;
	/* Soft off was asked for. */
	void (*power_off)(void *ctx);
	/* Ticks of ACPI_PM_HZ since any moment; may be NULL, then the timer stands. */
	uint64_t (*now)(void *ctx);
	uint16_t enable, control;
};

/* Registers the ports on 'ports'. 0 or -ENOSPC. */
int acpi_pm_init(struct acpi_pm *pm, struct bus *ports, void (*power_off)(void *ctx),
		 uint64_t (*now)(void *ctx), void *ctx);

#endif
