/* SPDX-License-Identifier: MIT */
/*
 * The IOAPIC's registers (Intel 82093AA datasheet 3.0), for images that want a device's INTx.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"

#define IOAPIC_BASE 0xfec00000U

/* A redirection entry. */
#define RTE_ACTIVE_LOW BIT(13)
#define RTE_LEVEL      BIT(15)
#define RTE_MASKED     BIT(16)
/* The destination, or in remappable format (VT-d 5.1.5.1) the index of an interrupt entry. */
#define RTE_DESTINATION(id)   ((uint64_t)(id) << 56)
#define RTE_REMAPPABLE(index) ((uint64_t)((index)&0x7fff) << 49 | BIT(48))

bool ioapic_present(void);
/* Number of pins. */
unsigned ioapic_pins(void);
void ioapic_write_entry(unsigned pin, uint64_t entry);
