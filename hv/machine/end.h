/* SPDX-License-Identifier: MIT */
/*
 * The ends of the machine: panic() when the hypervisor itself cannot go on, machine_end() always.
 */
#pragma once

/* Exit statuses of docs/contract.md. */
enum { STATUS_OK = 0, STATUS_VM_FAILED = 1, STATUS_HYPERVISOR_FAILED = 3 };

/* Print the last line, tell the emulator, reset. */
_Noreturn void machine_end(int status);

/* One line that says what was asked and what was found, then machine_end(3). */
_Noreturn void panic(const char *text, ...) __attribute__((format(printf, 1, 2)));
