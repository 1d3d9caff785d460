/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU's local APIC (SDM 3A chapter 11): the register page at 0xfee00000 or, in x2APIC mode,
 * MSRs, interrupt acceptance by priority, interrupt messages, IPIs and the timer. Whoever runs the CPU
 * asks lapic_pending() before each entry; nothing here injects by itself.
 */
#pragma once

#include "lib/apic.h"

/* Each may be NULL, but for ipi. */
struct lapic_host {
	void *ctx;
	/* A level-triggered vector was acknowledged: tell the IOAPICs (SDM 3A 11.8.5). */
	void (*eoi)(void *ctx, uint8_t vector);
	/* An NMI was delivered to this CPU. */
	void (*nmi)(void *ctx);
	/*
	 * An IPI, by the interrupt command register, its destination in bits 63:32, for whom it names
	 * (hv/dev/lapic_route.h), this CPU perhaps among them; not the self shorthand. Never NULL.
	 */
	void (*ipi)(void *ctx, uint64_t icr);
	/* The timer's clock: any steady rate. Without it the timer never fires. */
	uint64_t (*now)(void *ctx);
};

#define LAPIC_REGISTERS 64

struct lapic {
	struct lapic_host host;
	uint32_t reg[LAPIC_REGISTERS]; /* by a sixteenth of their offset */
	uint8_t irr_words, isr_words;  /* bit n: that word of the register is not 0; an EOI: 39 of 256 ticks */
	uint32_t errors;               /* since ESR was latched */
	bool x2apic;
	uint64_t timer_start; /* host.now() when the count was last full; of a deadline, then */
	uint64_t timer_held;  /* not before, so that the code it interrupts gets ahead */
	bool timer_running;
	uint64_t deadline; /* IA32_TSC_DEADLINE; 0: not armed */
};

/*
 * The state in which firmware leaves the boot CPU: enabled, LINT0 passes the PIC's interrupts on
 * (ExtINT), LINT1 is NMI, all else masked.
 */
void lapic_init(struct lapic *lapic, uint8_t id, const struct lapic_host *host);
/* And the one after INIT, or with IA32_APIC_BASE.EN at 0: all as after reset but its id (SDM 3A 11.4.7.3, 11.4.3). */
void lapic_reset(struct lapic *lapic);

/* The register page; 'device' is the struct lapic. */
void lapic_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value);

/*
 * The registers as MSRs, 'number' 0x00 to 0x3f as in X2APIC_MSR() (SDM 3A 11.12.1.2). 0, or -EINVAL for
 * what raises #GP: a mode that is not x2APIC, a register that is not there or not for that, a reserved bit.
 */
int lapic_read_msr(struct lapic *lapic, unsigned number, uint64_t *value);
int lapic_write_msr(struct lapic *lapic, unsigned number, uint64_t value);
/* From xAPIC mode, or switched off, to x2APIC mode; or out of it. */
void lapic_set_x2apic(struct lapic *lapic, bool on);

/* Does the register of this number, a sixteenth of its offset, belong to the timer? */
bool lapic_is_timer(unsigned number);

/* The highest vector that priority allows to be delivered, or -1 (SDM 3A 11.8.3). */
int lapic_pending(const struct lapic *lapic);
/* The CPU takes 'vector', as returned by lapic_pending(): it is in service now. */
void lapic_accept(struct lapic *lapic, uint8_t vector);
/* Whether the PIC's interrupts reach the CPU through LINT0: software-disabled, it masks them (SDM 3A 11.4.7.2). */
bool lapic_takes_extint(const struct lapic *lapic);

/* An interrupt command, low half, that is for this CPU: fixed, lowest priority or NMI. */
void lapic_take(struct lapic *lapic, uint64_t command);
/* Is it among those that a destination names (SDM 3A 11.6.2, 11.12.9)? */
bool lapic_is_destination(const struct lapic *lapic, uint32_t destination, bool logical);
/* The class of the processor's priority, 0x00 to 0xf0; is the APIC on by its SVR? */
uint32_t lapic_priority(const struct lapic *lapic);
bool lapic_is_enabled(const struct lapic *lapic);

/* CR8, the task priority's class (SDM 3A 11.8.6). */
static inline uint64_t lapic_cr8(const struct lapic *lapic) { return lapic->reg[LAPIC_TPR] >> 4; }
static inline void lapic_set_cr8(struct lapic *lapic, uint64_t value)
{
	lapic->reg[LAPIC_TPR] = (uint32_t)(value & 0xf) << 4;
}

/*
 * IA32_TSC_DEADLINE is written (SDM 3A 11.5.4.1): 'value', which is 'ticks' of host.now() ahead. No
 * effect unless the timer is in that mode.
 */
void lapic_set_deadline(struct lapic *lapic, uint64_t value, uint64_t ticks);

/* Ticks of host.now() until the timer fires, 0 if it is due; false when it is not running. */
bool lapic_timer_due(const struct lapic *lapic, uint64_t *ticks);
bool lapic_timer_is_periodic(const struct lapic *lapic);
/* Deliver the timer's interrupt if it is due. Call before lapic_pending(). */
void lapic_timer_poll(struct lapic *lapic);
