/* SPDX-License-Identifier: MIT */
/*
 * The devices of a VM: those every VM has, those its GRUB line names, and its IOMMU.
 */
#pragma once

#include "hv/vm/vm.h"

/*
 * Create the devices that vm->options asks for, as firmware leaves them. 0 or -ENOMEM. Panics if a
 * bus or the PCI slots are full, which no GRUB line can bring about (tests/unit/test_devices.c).
 */
int devices_create(struct vm *vm);
void devices_free(struct vm *vm);
/* What a device's DMA waited for is done. The VM's lock is held. */
void devices_go_on(struct vm *vm);

/* A byte typed at the VM's console; false while its UART has no room for it. */
bool devices_type(struct vm *vm, uint8_t byte);
