/* SPDX-License-Identifier: MIT */
/*
 * What an image says: printf on COM1. Used by every image; check.h has the checks.
 */
#pragma once

#include <stdarg.h>

#include "lib/pc.h"

/* 115200 baud, 8 bits, no parity, FIFOs on, no interrupts. */
void console_init(void);

/* What lib/format.h takes. A line is sent when it is complete. */
int printf(const char *text, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *text, va_list ap) __attribute__((format(printf, 1, 0)));

/* Send an unfinished line. */
void console_flush(void);

/* A heading "== text", with a blank line before it. */
void heading(const char *text, ...) __attribute__((format(printf, 1, 2)));
