; SPDX-License-Identifier: MIT
; Host exceptions: 32 stubs of equal size that push what the CPU did not, save the registers in
; the layout of 'struct trap_frame' (hv/machine/traps.h) and call trap(). Interrupts are off in the
; hypervisor; an exception here is a defect and trap() does not return.

        bits    64
        default rel
        section .text
        extern  trap
        global  trap_stubs, interrupt_stub
        align   16
trap_stubs:
%assign vector 0
%rep 32
        align   16
%if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
        nop
        nop
%else
        push    0                       ; no error code
%endif
        push    vector
        jmp     save
%assign vector vector + 1
%endrep

save:
%macro pushes 1-*
  %rep %0
        push    %1
  %rotate 1
  %endrep
%endmacro
        pushes  rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        mov     rdi, rsp
        cld
        call    trap
        ud2

; An interrupt of the first 8259A, of which only lines 0-7 are let through. It is taken only while
; the CPU halts for want of anything to do (sti_hlt() in lib/asm.h): it has done all by waking it.
PIC_COMMAND     equ 0x20
PIC_EOI         equ 0x20
        align   16
interrupt_stub:
        push    rax
        mov     al, PIC_EOI
        out     PIC_COMMAND, al
        pop     rax
        iretq
