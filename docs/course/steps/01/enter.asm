; SPDX-License-Identifier: MIT
; The world switch of the steps: guest_enter() loads the guest's registers and enters it; its exit
; lands at guest_exit, which stores them again and returns to the caller of guest_enter().

%include "boot/stack.inc"

        bits    64
        default rel
        section .text
        global  guest_enter, guest_exit
        global  launch_begin, launch_end, launch_not, resume_begin, resume_end, resume_not

HOST_RSP        equ 16 * 8              ; in 'struct guest'
LAUNCHED        equ 17 * 8

; Where an NMI must not be lost (hv/machine/traps.c): nowhere, since here nobody sends one.
launch_begin:
launch_end:
launch_not:
resume_begin:
resume_end:
resume_not:

; uint64_t guest_enter(struct guest *guest): 0 when the entry failed before it began.
guest_enter:
        pushes  rbx, rbp, r12, r13, r14, r15
        mov     [rdi + HOST_RSP], rsp
        cmp     qword [rdi + LAUNCHED], 0       ; the loads below keep the flags
        mov     rsp, rdi
        pops    rbx, rdx, rcx, rax              ; RAX first: it lies lowest
        lea     rsp, [rsp + 8]                  ; the guest's RSP is in the VMCS
        pops    r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp
        jne     .resume                         ; RSP = &guest->host_rsp now
        vmlaunch
        jmp     .failed
.resume:
        vmresume
.failed:
        mov     rsp, [rsp]
        xor     eax, eax
        jmp     leave_guest

; HOST_RIP. The VMCS's HOST_RSP is &guest->host_rsp, so the pushes fill guest->gpr.
guest_exit:
        pushes  r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax
        mov     rsp, [rsp + HOST_RSP]
        mov     eax, 1
leave_guest:
        pops    rbx, rbp, r12, r13, r14, r15
        ret
