; SPDX-License-Identifier: MIT
; Host exceptions: 32 stubs of equal size that push what the CPU did not, save the registers in
; the layout of 'struct trap_frame' (hv/machine/traps.c) and call trap(). Interrupts are off in the
; hypervisor; an exception here is a defect and trap() does not return, but from NMIs, by which CPUs
; kick each other, and where a guest's instruction is run for it.

%include "boot/stack.inc"

        bits    64
        default rel
        section .text
        extern  trap
        global  native_begin, native_end
        global  trap_stubs, interrupt_stub, cpu_halt, halt_begin, halt_end
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

save:   pushes  rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        mov     rdi, rsp
        cld
        call    trap                    ; comes back from these two only
        pops    rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        add     rsp, 16                 ; vector and error code
        iretq

; Where fpu_run() puts an instruction, a CPU in 16 bytes of its own. What it faults is the guest's: trap() returns to
; native_end, with the vector in RCX.
        align   64
native_begin:
        times 16 * 16 db 0xcc
native_end:
        ret

; Interrupts are taken only while the CPU halts for want of anything to do, or asks for those that
; wait (interrupts_take() in hv/machine/timer.c): one has done all by waking it.
interrupt_stub:
        iretq

; void cpu_halt(void): until an interrupt or NMI came. An NMI sets the slice to 1; one behind the
; look at it and before HLT is seen by where it came: trap() goes on at halt_end then.
CPU_SLICE       equ 20                  ; in struct cpu, asserted in hv/machine/cpu.c
        align   16
cpu_halt:
        cmp     dword [gs:CPU_SLICE], 1
halt_begin:
        je      halt_end
        sti                             ; holds interrupts back until HLT (SDM 2B "STI")
        hlt
halt_end:
        cli
        ret
