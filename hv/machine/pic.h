/* SPDX-License-Identifier: MIT */
/*
 * The host's pair of 8259A interrupt controllers. Their interrupts end a stay in a guest or a halt;
 * the handlers only return.
 */
#pragma once

/* Initialized, every line masked. */
void pic_init_host(void);
/* Let one of the lines 0-7 interrupt. */
void pic_unmask(unsigned line);
