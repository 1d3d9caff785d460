/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of the image are: symbols of linker.ld and boot/entry.asm. Take their
 * addresses only.
 */
#pragma once

#include <stdint.h>

extern uint8_t image_start[], image_text_end[], image_rodata_end[], image_end[];
extern uint8_t stacks[], stacks_end[]; /* two for each CPU, each above a guard page */
extern uint64_t boot_gdt[];
