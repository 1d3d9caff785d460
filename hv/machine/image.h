/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of the image are: symbols of linker.ld and boot/entry.asm. Take their
 * addresses only.
 */
#ifndef HV_MACHINE_IMAGE_H
#define HV_MACHINE_IMAGE_H

#include <stdint.h>

extern uint8_t image_start[], image_text_end[], image_rodata_end[], image_end[];
extern uint8_t boot_stack_guard[], boot_stack_top[];
extern uint8_t exception_stack_guard[], exception_stack_top[];
extern uint64_t boot_gdt[];

#endif
