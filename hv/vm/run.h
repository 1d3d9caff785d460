/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: turns on each CPU. Nothing else decides which vCPU runs.
 */
#pragma once

#include "hv/vm/vm.h"

/* The CPU for the next vCPU: each in turn. A vCPU stays on its CPU. */
struct cpu *run_next_cpu(void);
/* The vCPU is complete: its CPU runs it from run_begin() on. */
void run_add(struct vcpu *vcpu);
/* Its CPU, which may be another, has let go of it and forgotten it when this returns. */
void run_remove(struct vcpu *vcpu);

/* All VMs are made: let the CPUs begin. Called by the one that booted. */
void run_begin(void);

/*
 * Make the vCPU the one whose VMCS and state are on this CPU. One of another CPU is lent by that,
 * until this one turns to another; for who looks, and at creation.
 */
void vcpu_switch_to(struct vcpu *vcpu);

/* In an exit: a timer of the vCPU was set, is due in so many TSC ticks, and perhaps before this stay would end. */
void vcpu_timer_armed(struct vcpu *vcpu, uint64_t ticks);

/*
 * In an exit: the time is over that set_timer() gave this stay. What is due is taken and the next time given;
 * false: the turn is over, or somebody else has something to do.
 */
bool run_goes_on(struct vcpu *vcpu);

/*
 * Stop all vCPUs of all VMs: none enters its guest before run_continue(). On a vCPU's exit: its
 * handler has to return VCPU_LEAVE.
 */
void run_stop(void);
void run_continue(void);
bool run_is_stopped(void);

/* Who reads the events that VMs tell, or none: called behind what happens outside of exits, and may run_stop(). */
extern void (*run_watch)(void);

/* One stay of a vCPU in its guest although all are stopped, without an interrupt; for a step. */
void run_once(struct vcpu *vcpu);

/*
 * Give each vCPU of this CPU that has something to do a slice; if none has, halt until the next
 * event, or while all are stopped until something is typed.
 */
void run_turn(void);

/* check=always: each entry is checked before it is made, and each exit is a stay's last. Set before run_begin(). */
extern bool run_checks_entries;
