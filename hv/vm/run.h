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
/* When this returns, the vCPU's CPU, which may be another, has let go of it and forgotten it. */
void run_remove(struct vcpu *vcpu);

/* All VMs are made: let the CPUs begin. For the CPU that booted. */
void run_begin(void);

/*
 * Put this vCPU's VMCS and state on this CPU. If the vCPU belongs to another CPU, it is lent until
 * this CPU turns to another vCPU. That is for looking at it, and for its creation.
 */
void vcpu_switch_to(struct vcpu *vcpu);

/* A vCPU of this CPU, between its turns: if another has borrowed it, that may have it now. */
void vcpu_let_go(struct vcpu *vcpu);

/* In an exit: a timer of the vCPU was set, is due in so many TSC ticks, and perhaps before this stay would end. */
void vcpu_timer_armed(struct vcpu *vcpu, uint64_t ticks);

/*
 * In an exit: the time is over that set_timer() gave this stay. What is due is taken and the next time given;
 * false: the turn is over, or somebody else has something to do.
 */
bool run_goes_on(struct vcpu *vcpu);

/*
 * Stop all vCPUs of all VMs: none is in its guest when this returns, nor until run_continue(), also none that a write
 * to ROM steps. After a call in an exit, its handler has to return VCPU_LEAVE.
 */
void run_stop(void);
void run_continue(void);
bool run_is_stopped(void);

/* The vCPU that the operator steps, or NULL: it may run while all are stopped. For the CPU that booted. */
extern const struct vcpu *run_stepped;
/* Is the vCPU one of those that are stopped? */
bool run_stops(const struct vcpu *vcpu);

/*
 * The reader of the events that VMs tell, or NULL. It is called after what happens to a VM outside of
 * exits, and may call run_stop().
 */
extern void (*run_watch)(const struct vm *vm);

/* One stay of a vCPU in its guest although all are stopped, without an interrupt; for a step. */
void run_once(struct vcpu *vcpu);

/*
 * Give a turn to each VM with a vCPU on this CPU that has something to do. If none has, halt until the next
 * event. While all are stopped, halt until something is typed.
 */
void run_turn(void);
/* The same within long work that is no vCPU's, without the halt. */
void run_others(void);

/*
 * check=always: each entry is checked before it is made, so each exit ends the stay in the guest.
 * Set before run_begin().
 */
extern bool run_checks_entries;
