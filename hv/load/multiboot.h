/* SPDX-License-Identifier: MIT */
/*
 * Loads a guest image into a VM's RAM and leaves beside it what its loader protocol promises:
 * multiboot1 information.
 */
#ifndef HV_LOAD_MULTIBOOT_H
#define HV_LOAD_MULTIBOOT_H

#include "boot/multiboot2.h"
#include "hv/vm/vcpu.h"
#include "hv/vm/vm.h"

/*
 * Load 'image' (and 'initrd', which may be NULL) into the VM's RAM. 0 with *start filled; a
 * negative errno with *problem saying what was found and expected.
 */
int guest_load(struct vm *vm, const struct boot_module *image, const struct boot_module *initrd,
	       struct vcpu_start *start, const char **problem);

#endif
