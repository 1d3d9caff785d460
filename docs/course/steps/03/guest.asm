; SPDX-License-Identifier: MIT
; The guest of step 3 touches five pages, some of them twice, and reads back what it wrote.
%include "docs/course/steps/guest.inc"

        say     "hello from a page of my own"
        mov     dword [0x2000], 1       ; under the same 2M leaf as this code
        mov     dword [0x200000], 2
        mov     dword [0x201000], 3
        mov     dword [0x400000], 4
        mov     dword [0x401000], 5
        mov     eax, [0x2000]
        add     eax, [0x200000]
        add     eax, [0x201000]
        add     eax, [0x400000]
        add     eax, [0x401000]
        cmp     eax, 1 + 2 + 3 + 4 + 5
        jne     wrong
        say     "all five numbers are where I put them"
        hlt
wrong:  say     "FAIL: a number is not where I put it"
        hlt
