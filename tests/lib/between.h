/* SPDX-License-Identifier: MIT */
/*
 * What another CPU may see of code that changes what it reads without a lock. An x86 CPU's stores are seen in their
 * order (SDM 3A 9.2.2), so a look between every two instructions sees all that another CPU could. By RFLAGS.TF: for
 * code that makes no system call.
 */
#pragma once

/* From here to between_end() look() is called behind each instruction. It may assert. */
void between_begin(void (*look)(void));
/* Returns how often it was called. */
unsigned between_end(void);
