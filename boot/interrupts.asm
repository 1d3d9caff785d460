; SPDX-License-Identifier: MIT
; Host exceptions: 32 stubs of equal size that push what the CPU did not, save the registers in
; the layout of 'struct trap_frame' (hv/machine/traps.c) and call trap(). Interrupts are off in the
; hypervisor; an exception here is a defect and trap() does not return, but from NMIs, by which CPUs
; kick each other.

        bits    64
        default rel
        section .text
        extern  trap, apic_eoi_register
        global  trap_stubs, interrupt_stub, apic_stub, spurious_stub, cpu_halt, halt_begin, halt_end
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
        call    trap                    ; comes back from an NMI only
%macro pops 1-*
  %rep %0
    %rotate -1
        pop     %1
  %endrep
%endmacro
        pops    rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        add     rsp, 16                 ; vector and error code
        iretq

; Interrupts are taken only while the CPU halts for want of anything to do, or asks for those that
; wait (sti_cli() in lib/asm.h): one has done all by waking it. First those of the first 8259A, of
; which only lines 0-7 are let through.
PIC_COMMAND     equ 0x20
PIC_EOI         equ 0x20
        align   16
interrupt_stub:
        push    rax
        mov     al, PIC_EOI
        out     PIC_COMMAND, al
        pop     rax
        iretq

; One of the local APIC (SDM 3A 11.8.5), and its spurious one, which has no end (11.9).
        align   16
apic_stub:
        push    rax
        mov     rax, [apic_eoi_register]
        mov     dword [rax], 0
        pop     rax
spurious_stub:
        iretq

; void cpu_halt(void): until an interrupt or NMI came. An NMI behind the look at cpu->woken and
; before HLT is seen by where it came: trap() goes on at halt_end then.
CPU_WOKEN       equ 24                  ; in struct cpu, asserted in hv/machine/cpu.c
        align   16
cpu_halt:
        cmp     dword [gs:CPU_WOKEN], 0
halt_begin:
        jne     halt_end
        sti                             ; holds interrupts back until HLT (SDM 2B "STI")
        hlt
halt_end:
        cli
        ret
