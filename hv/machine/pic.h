/* SPDX-License-Identifier: MIT */
/*
 * The host's pair of 8259A interrupt controllers. The hypervisor takes no interrupt: one makes an
 * exit of a guest, and the controllers are asked by ports who it was.
 */
#ifndef HV_MACHINE_PIC_H
#define HV_MACHINE_PIC_H

#include <stdint.h>

enum { PIC_LINE_TIMER = 0, PIC_LINE_COM2 = 3, PIC_LINE_COM1 = 4 };

/* Initialized, every line masked. */
void pic_init_host(void);
/* Let one of the lines 0-7 interrupt, or keep it from that. */
void pic_unmask(unsigned line);
void pic_mask(unsigned line);
/* An external interrupt caused an exit: acknowledge it, so that it is not pending any more. */
void pic_acknowledge(void);

#endif
