/* SPDX-License-Identifier: MIT */
/*
 * The tables of devices: those that every VM has, and those that 'dev=NAME' adds. A new device is
 * one file with its row and the row's name here (docs/devices.md).
 */
#pragma once

#include "hv/dev/board.h"

/* Each device's row stands at the end of its file. */
extern const struct device_row acpi_pm_device, edu_device, fw_cfg_device, ioapic_device, irq_device;
extern const struct device_row keyboard_device, pci_device, pic_device, pit_device, ports_device;
extern const struct device_row rtc_device, testdev_device, uart_device;

/* In the order of their creation. */
extern const struct device_row *const fixed_devices[];
extern const unsigned fixed_device_count;

/* What dev= takes. */
extern const struct device_row *const optional_devices[];
extern const unsigned optional_device_count;

/* Bytes that device_create() needs for this row. */
size_t device_size(const struct device_row *row);

/*
 * Make the row's device in 'place', zeroed, aligned to 16. 'board' is copied, with the device's
 * own name, source id and 'words' filled in. Returns the device's state.
 */
void *device_create(const struct device_row *row, const struct board *board, unsigned words, void *place);

/* The device there does again what waited, if anything did. */
void device_go_on(const struct device_row *row, void *place);
