/* SPDX-License-Identifier: MIT */
/*
 * The words on GRUB's lines: the hypervisor's own and each VM's. Pure: parses text, allocates
 * nothing, and says of a wrong word what was expected instead.
 */
#pragma once

#include "ept/memtype.h"
#include "hv/dev/devices.h"

#define VM_NAME_MAX     15 /* characters */
#define VM_DEVICES_MAX  8
#define VM_CPUS_MAX     16
#define OPTION_WORD_MAX 63
#define OPTION_LIST_MAX 80

/* CPU features that can be left unused although the CPU has them: 'mask=' */
enum feature_mask {
	MASK_TIMER = 1 << 0, /* VMX-preemption timer */
	MASK_VPID = 1 << 1,
	MASK_EPT_AD = 1 << 2, /* EPT accessed and dirty flags */
	MASK_EPT_2M = 1 << 3,
	MASK_EPT_1G = 1 << 4,
	MASK_INVEPT_SINGLE = 1 << 5, /* single-context INVEPT: all-context is used instead */
};

enum trace_option { TRACE_OFF, TRACE_EVENTS, TRACE_EXITS }; /* exits: events as well */

/* Where the machine stops for the monitor: 'stop=' */
enum stop_option {
	STOP_ENTRY = 1 << 0,      /* before the first entry of all */
	STOP_TRANSITION = 1 << 1, /* behind one of the noncoherent count */
	STOP_EXIT = 1 << 2,       /* where a VM has exited, or was killed */
	STOP_KILL = 1 << 3,
	STOP_VMCALL = 1 << 4, /* behind a VMCALL MARK */
};

struct hv_options {
	unsigned console_e9;
	unsigned console_guest; /* the only VM gets the operator's terminal */
	unsigned check_always;  /* and before every other: slow, for tests */
	unsigned check;         /* run the VM-entry checker before each VM's first entry */
	unsigned mask;          /* enum feature_mask */
	enum trace_option trace;
	unsigned stop; /* enum stop_option */
	unsigned gdb;  /* a gdb on COM2; all are stopped until it comes */
};

/* One dev=NAME[,WORD]... */
struct device_option {
	const struct device_row *row;
	unsigned words; /* bit n: the row's n-th word was given */
};

struct vm_options {
	char name[VM_NAME_MAX + 1];
	uint64_t memory; /* bytes */
	unsigned cpus;
	bool iommu;
	bool snoop_control; /* iommu=on,sc */
	bool caching_mode;  /* off with iommu=on,cm=off */
	bool strict;        /* iommu=on,strict: tell of stale entries' uses */
	struct device_option device[VM_DEVICES_MAX];
	unsigned devices;
	unsigned restart; /* reset=restart */
	enum memtype_policy policy;
	unsigned coherence;       /* coherence=model: what caches do to memory is modelled */
	unsigned retype;          /* transition=retype */
	unsigned fill_table;      /* fill=table */
	const char *command_line; /* points into the parsed line; "" when there is none */
};

struct option_error {
	char word[OPTION_WORD_MAX + 1]; /* as much of it as fits; "" when a word is missing */
	const char *expected;
	char list[OPTION_LIST_MAX]; /* what 'expected' points to where it is made of a table */
};

/* 0, or -EINVAL with *error filled. */
int hv_options_parse(const char *line, struct hv_options *options, struct option_error *error);

/*
 * A module's line, "vm NAME [words] -- COMMAND LINE". 0, or -EINVAL with *error filled;
 * options->name is "" unless a good NAME was read before the error.
 */
int vm_options_parse(const char *line, struct vm_options *options, struct option_error *error);

/* Is the line the word 'initrd' alone? */
bool options_is_initrd(const char *line);

/*
 * Take back what GRUB's loader does to the words of a line: it puts a backslash before each ', "
 * and \ (GRUB 2.06, grub-core/lib/cmdline.c). The quotes it puts around a word that holds a blank
 * stay: without them such a word would be two. In place, since the line only gets shorter.
 */
void options_unescape(char *line);
