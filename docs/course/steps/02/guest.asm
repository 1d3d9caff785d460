; SPDX-License-Identifier: MIT
; The guest of step 2: CPUID leaf 0x40000000, its twelve bytes to COM1, a line's end, HLT. It has
; no stack.
        bits    64
        default rel
        section .text
        global  guest_code

COM1    equ     0x3f8

%macro say 1                            ; the four bytes of a register; changes EAX, ESI
        mov     eax, %1
        mov     esi, 4
%%next: out     dx, al
        shr     eax, 8
        dec     esi
        jnz     %%next
%endmacro

guest_code:
        mov     eax, 0x40000000
        cpuid
        mov     edi, edx
        mov     dx, COM1
        say     ebx
        say     ecx
        say     edi
        mov     al, 10
        out     dx, al
        hlt
