/* SPDX-License-Identifier: MIT */
/*
 * The tables of devices: those that every VM has, and those that 'dev=NAME' adds. A new device is
 * one file and one row here (docs/devices.md).
 */
#ifndef HV_DEV_DEVICES_H
#define HV_DEV_DEVICES_H

#include "hv/dev/board.h"

/* In the order of their creation. */
extern const struct device_row fixed_devices[];
extern const unsigned fixed_device_count;

/* What dev= takes. */
extern const struct device_row optional_devices[];
extern const unsigned optional_device_count;

/* Bytes that device_create() needs for this row. */
size_t device_size(const struct device_row *row);

/*
 * Make the row's device in 'place', zeroed, aligned to 16. 'board' is copied, with the device's
 * own name, source id and 'words' filled in. Returns the device's state.
 */
void *device_create(const struct device_row *row, const struct board *board, unsigned words, void *place);

#endif
