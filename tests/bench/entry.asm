; SPDX-License-Identifier: MIT
; What tests/bench/linux puts over the first instructions of a copy of the kernel: it says the time stamp
; counter at the kernel's entry on COM1, in hexadecimal, and ends the machine as shell_ticks.c does. For an
; entry in 32-bit code, or with -D BITS=64 in 64-bit code.
%ifndef BITS
  %define BITS 32
%endif
        bits    BITS
COM1            equ 0x3f8
LCR             equ COM1 + 3
LSR             equ COM1 + 5
EXIT_PORT       equ 0xf4
SHUTDOWN_PORT   equ 0x8900

        rdtsc
        mov     ebx, eax
        mov     esi, edx
        mov     dx, LCR
        mov     al, 3                   ; 8 bits
        out     dx, al
        mov     ecx, 16
digit:  mov     edi, esi
        shr     edi, 28
        shld    esi, ebx, 4
        shl     ebx, 4
ready:  mov     dx, LSR
        in      al, dx
        test    al, 0x20
        jz      ready
        lea     eax, [edi + '0']
        cmp     al, '9'
        jbe     send
        add     al, 'a' - '0' - 10
send:   mov     dx, COM1
        out     dx, al
        loop    digit
        mov     dx, LSR
last:   in      al, dx
        test    al, 0x20
        jz      last
        mov     dx, COM1
        mov     al, 10
        out     dx, al
        mov     dx, LSR
sent:   in      al, dx
        test    al, 0x40
        jz      sent
        xor     eax, eax
        out     EXIT_PORT, al
        mov     dx, SHUTDOWN_PORT
%assign letter 1
%rep 8
%substr character 'Shutdown' letter
        mov     al, character
        out     dx, al
%assign letter letter + 1
%endrep
        hlt
