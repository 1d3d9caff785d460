; SPDX-License-Identifier: MIT
; The world switch of the steps: guest_enter() loads the guest's registers and enters it; its exit
; lands at guest_exit, which stores them again and returns to the caller of guest_enter().

        bits    64
        default rel
        section .text
        global  guest_enter, guest_exit

HOST_RSP        equ 16 * 8              ; in 'struct guest'
LAUNCHED        equ 17 * 8

%macro pushes 1-*
  %rep %0
        push    %1
  %rotate 1
  %endrep
%endmacro
%macro pops 1-*
  %rep %0
        pop     %1
  %rotate 1
  %endrep
%endmacro

; uint64_t guest_enter(struct guest *guest): 0 when the entry failed before it began.
guest_enter:
        pushes  rbx, rbp, r12, r13, r14, r15
        mov     [rdi + HOST_RSP], rsp
        cmp     qword [rdi + LAUNCHED], 0       ; the loads below keep the flags
        mov     rsp, rdi
        pops    rax, rcx, rdx, rbx
        lea     rsp, [rsp + 8]                  ; the guest's RSP is in the VMCS
        pops    rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
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
        pops    r15, r14, r13, r12, rbp, rbx
        ret
