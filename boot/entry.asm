; SPDX-License-Identifier: MIT
; From GRUB to C: the multiboot2 header, 32-bit protected mode to long mode, stacks. GRUB jumps to
; _start; control leaves for hv_main() and never returns. Nothing here knows VMX.

%include "boot/long_mode.inc"

; Multiboot2 specification 3.1: header and its tags.
MULTIBOOT2_MAGIC  equ 0xe85250d6
MULTIBOOT2_I386   equ 0

CPUID_LONG_MODE   equ 1 << 29           ; CPUID.80000001H:EDX
CPUID_NX          equ 1 << 20

PAGE_PRESENT_WRITE equ 3
PAGE_LARGE        equ 1 << 7

STACK_SIZE        equ 16384
CPUS_MAX          equ 16                ; as in hv/machine/cpu.h

        section .text
        bits    32
        global  _start
        extern  hv_main
_start:                                 ; EAX = loader's magic, EBX = information
        cli
        cld
        mov     esp, boot_stack_top
        mov     edi, eax                ; hv_main's first argument
        mov     esi, ebx                ; and second

        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000001
        jb      .no_long_mode
        mov     eax, 0x80000001
        cpuid
        and     edx, CPUID_LONG_MODE | CPUID_NX
        cmp     edx, CPUID_LONG_MODE | CPUID_NX
        jne     .no_long_mode

        to_long_mode long_mode

.no_long_mode:
        mov     esi, no_long_mode_text
        call    print32
        mov     al, 3                   ; the contract's "could not run"
        out     0xf4, al
        mov     esi, shutdown_text
        mov     dx, 0x8900
.shutdown:
        lodsb
        test    al, al
        jz      .reset
        out     dx, al
        jmp     .shutdown
.reset:
        mov     al, 0xfe                ; keyboard controller: pulse reset
        out     0x64, al
        hlt
        jmp     .reset

; Print the string at ESI on COM1 as GRUB or the firmware left it (115200 baud is set here).
print32:
        mov     dx, 0x3fb
        mov     al, 0x83
        out     dx, al
        mov     dx, 0x3f8
        mov     al, 1
        out     dx, al
        inc     dx
        mov     al, 0
        out     dx, al
        mov     dx, 0x3fb
        mov     al, 0x03
        out     dx, al
.next:  lodsb
        test    al, al
        jz      .done
        mov     ah, al
        mov     dx, 0x3fd
.wait:  in      al, dx
        test    al, 0x20
        jz      .wait
        mov     dx, 0x3f8
        mov     al, ah
        out     dx, al
        jmp     .next
.done:  mov     dx, 0x3fd
.drain: in      al, dx                  ; until the last byte has left
        test    al, 0x40
        jz      .drain
        ret

        bits    64
long_mode:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     esp, boot_stack_top
        mov     edi, edi                ; the upper halves are undefined after the mode switch
        mov     esi, esi
        xor     ebp, ebp                ; ends a stack trace
        call    hv_main
        ud2

; First in the image all the same (linker.ld). Not first here: NASM's DWARF output gives the first
; section the length of all of them, and gdb would look for its code there.
        section .multiboot2 progbits alloc exec nowrite align=8
header:
        dd      MULTIBOOT2_MAGIC, MULTIBOOT2_I386, header_end - header
        dd      -(MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + (header_end - header))
        align   8
        dw      6, 0                    ; module alignment: page boundaries
        dd      8
        dw      0, 0                    ; end
        dd      8
header_end:

        section .rodata
        align   8
        global  boot_gdt, boot_gdt_pointer
boot_gdt:
        dq      0
        dq      0x00af9b000000ffff      ; 0x08 64-bit code
        dq      0x00cf93000000ffff      ; 0x10 data
        dq      0x00cf9b000000ffff      ; 0x18 32-bit code, on the other CPUs' way (boot/ap.asm)
boot_gdt_pointer:
        dw      $ - boot_gdt - 1
        dq      boot_gdt
no_long_mode_text:
        db      "hv: cpu: no 64-bit mode with execute-disable (CPUID.80000001H:EDX bits 29, 20)", 10
        db      "hv: end: status 3", 10, 0
shutdown_text:
        db      "Shutdown", 0

; The first 4 GiB, identity-mapped by 2M pages, readable and writable, until hv/machine/paging.c
; knows better.
        section .data align=4096
        global  boot_pml4
boot_pml4:      dq boot_pdpt + PAGE_PRESENT_WRITE
                times 511 dq 0
boot_pdpt:
%assign table 0
%rep 4
                dq boot_pd + 4096 * table + PAGE_PRESENT_WRITE
%assign table table + 1
%endrep
                times 508 dq 0
boot_pd:
%assign page 0
%rep 4 * 512
                dq page << 21 | PAGE_PRESENT_WRITE | PAGE_LARGE
%assign page page + 1
%endrep

; Two for each CPU, its own and one for exceptions. Each has a page below it that
; hv/machine/paging.c leaves unmapped.
        section .stacks nobits alloc noexec write align=4096
        global  stacks, stacks_end
stacks:         resb 4096 + STACK_SIZE
boot_stack_top: resb (2 * CPUS_MAX - 1) * (4096 + STACK_SIZE)
stacks_end:
