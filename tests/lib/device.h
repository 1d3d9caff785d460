/* SPDX-License-Identifier: MIT */
/*
 * One device alone, from its row, for unit tests that give it a board of their own.
 */
#pragma once

#include "hv/dev/devices.h"

/* The state of the row's device on a board: it lasts until the row's next one. */
void *make_device(const struct device_row *row, const struct board *board);
