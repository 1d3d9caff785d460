/* SPDX-License-Identifier: MIT */
/*
 * Between the vCPUs of a VM: IPIs, messages, INIT and start-up, by mail where the receiver has
 * another CPU.
 */
#pragma once

#include "hv/vm/vm.h"

/* The local APIC's way out (struct lapic_host): 'ctx' is the vCPU that sends. */
void ipi_send(void *ctx, uint64_t icr);
/* An interrupt command, low half, for each vCPU of which 'targets' has the bit. */
void ipi_deliver(struct vm *vm, uint32_t targets, uint64_t command);

/* Take what others sent to a vCPU of this CPU. */
void ipi_take_mail(struct vcpu *vcpu);

/*
 * Can nothing wake the VM any more, because each of its vCPUs is stopped or waiting, and has no
 * mail? Store the asking vCPU's own activity before the call.
 */
bool ipi_none_is_left(const struct vm *vm);
