/* SPDX-License-Identifier: MIT */
/*
 * The numbers of docs/contract.md that the hypervisor and its guests share: the ports and statuses
 * that end a machine, VMCALL, and the counters. Numbers only, and none is ever given another
 * meaning.
 */
#pragma once

/* A write of any width ends the machine with the value as its status. */
#define EXIT_PORT 0xf4
/* Bochs and QEMU's older machines end on the letters "Shutdown". */
#define SHUTDOWN_PORT 0x8900

/* VMCALL n: RAX = VMCALL_BASE + n, argument in RBX. */
#define VMCALL_BASE 0x4c430000U

enum vmcall_number {
	VMCALL_VERSION = 0,
	VMCALL_EPT_WALK = 1,
	VMCALL_COUNTER = 2,
	VMCALL_MARK = 3,
};

/* What VMCALL_VERSION answers in RBX; a guest accepts any version from its own on. */
#define CONTRACT_VERSION 2
/* And in RCX: what was chosen for the VM; the policies are numbered as in docs/contract.md. */
#define CHOSEN_POLICY     0xfU
#define CHOSEN_TRANSITION 0xf0U     /* 0 zap, 1 retype */
#define CHOSEN_FILL       (1U << 8) /* fill=table */
#define CHOSEN_COHERENCE  (1U << 9)
#define CHOSEN_STRICT     (1U << 10)

/* The indices of VMCALL_COUNTER. */
enum counter {
	COUNTER_NONCOHERENT = 0,
	COUNTER_TRANSITIONS = 1,
	COUNTER_LEAVES_CLEARED = 2,
	COUNTER_LAST_ZAP = 3,
	COUNTER_INVEPT = 4,
	COUNTER_VIOLATIONS = 5,
	COUNTER_MISCONFIGURATIONS = 6,
	COUNTER_TRANSITION_TICKS = 7,
	COUNTER_EXITS = 8,
	COUNTER_RETYPED = 9, /* leaves, with transition=retype */
	COUNTER_STALE_USES = 10,
	COUNTER_KICKS = 11, /* NMIs that made another CPU look up */
	COUNTERS
};
