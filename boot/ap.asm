; SPDX-License-Identifier: MIT
; The way of every CPU but the one that boots: a start-up IPI sends it to a page below 1 MiB, into
; which hv/machine/start.c has copied the trampoline; from real mode it goes to long mode, onto the
; hypervisor's page tables and its own stack, and into cpu_entered(). It never returns.

%include "boot/long_mode.inc"

CODE32          equ 0x18                ; in boot_gdt
DATA            equ 0x10
CPU_STACK_TOP   equ 72                  ; in struct cpu, asserted in hv/machine/cpu.c

        extern  boot_pml4, boot_gdt, boot_gdt_pointer, cpu_entered
        global  ap_trampoline, ap_trampoline_end, ap_cpu, ap_cr3

; Copied, so it names itself by offsets only (SDM 3A 9.4.4: CS = page << 8, IP = 0).
        section .rodata
        bits    16
ap_trampoline:
        cli
        cld
        mov     ax, cs
        mov     ds, ax
        o32 lgdt [.gdt_pointer - ap_trampoline]
        mov     eax, CR0_PE_MP_ET_NE    ; CD and NW, set by INIT or not, go off
        mov     cr0, eax
        jmp     dword CODE32:ap_protected
.gdt_pointer:
        dw      CODE32 + 7
        dd      boot_gdt
ap_trampoline_end:

        section .text
        bits    32
ap_protected:
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        to_long_mode ap_long

        bits    64
ap_long:
        mov     rax, [ap_cr3]
        mov     cr3, rax
        mov     rdi, [ap_cpu]           ; cpu_entered's argument
        mov     rsp, [rdi + CPU_STACK_TOP]
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        xor     ebp, ebp
        call    cpu_entered
        ud2

        section .bss nobits alloc noexec write align=8
ap_cr3: resq    1
ap_cpu: resq    1                       ; the struct cpu of the one that comes next
