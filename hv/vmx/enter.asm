; SPDX-License-Identifier: MIT
; The world switch. vcpu_enter() runs the guest until an exit handler says to leave; between exits
; that are handled at once nothing of the host's registers needs saving, so a round trip costs
; fifteen loads, fifteen pushes and one call.
;
; The trick: the VMCS's HOST_RSP is the end of vcpu->gpr[16], so the pushes after an exit store
; the guest's registers where they belong. While that lasts only an NMI or a fault could use the
; stack, and those run on a stack of their own (IST).

        bits    64
        default rel
        section .text
        global  vcpu_enter, vcpu_exit_entry, vcpu_exit_entry_watched
        extern  exit_dispatch, exit_dispatch_watched

HOST_RSP_OFFSET equ 16 * 8              ; vcpu->host_rsp, asserted in hv/vm/vcpu.c
GPR             equ 8                   ; bytes each, in encoding order

; bool vcpu_enter(struct vcpu *vcpu, bool launched): false when the VM entry failed before it
; began (SDM 3C 27.1).
vcpu_enter:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        sub     rsp, 8
        mov     [rdi + HOST_RSP_OFFSET], rsp
        test    esi, esi                ; the loads below keep the flags
        call    load_registers
        jnz     .resume
        vmlaunch
        jmp     failed
.resume:
        vmresume
failed:
        xor     eax, eax
        jmp     leave_guest

%macro load_guest_registers 0
        mov     rax, [rdi + 0 * GPR]
        mov     rcx, [rdi + 1 * GPR]
        mov     rdx, [rdi + 2 * GPR]
        mov     rbx, [rdi + 3 * GPR]
        mov     rbp, [rdi + 5 * GPR]
        mov     rsi, [rdi + 6 * GPR]
        mov     r8, [rdi + 8 * GPR]
        mov     r9, [rdi + 9 * GPR]
        mov     r10, [rdi + 10 * GPR]
        mov     r11, [rdi + 11 * GPR]
        mov     r12, [rdi + 12 * GPR]
        mov     r13, [rdi + 13 * GPR]
        mov     r14, [rdi + 14 * GPR]
        mov     r15, [rdi + 15 * GPR]
        mov     rdi, [rdi + 7 * GPR]
%endmacro

; HOST_RIP: RSP = &vcpu->gpr[16]. %1 is the function that serves the exit.
%macro serve_exit 1
        push    r15
        push    r14
        push    r13
        push    r12
        push    r11
        push    r10
        push    r9
        push    r8
        push    rdi
        push    rsi
        push    rbp
        push    rsp                     ; the unused slot
        push    rbx
        push    rdx
        push    rcx
        push    rax
        mov     rdi, rsp
        mov     rsp, [rdi + HOST_RSP_OFFSET]
        mov     rbx, rdi
        call    %1
        test    eax, eax
        jz      leave
        mov     rdi, rbx
        load_guest_registers
        vmresume
        jmp     failed
%endmacro

        align   16
vcpu_exit_entry:
        serve_exit exit_dispatch

; The same while somebody watches exits (hv/monitor/watch.c): who does not, pays nothing for it.
        align   16
vcpu_exit_entry_watched:
        serve_exit exit_dispatch_watched

leave:  mov     eax, 1
leave_guest:
        add     rsp, 8
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret

load_registers:
        load_guest_registers
        ret
