; SPDX-License-Identifier: MIT
; The guest of step 4: an MTRR, three pages, a device comes, the same pages, it goes, the same pages.
%include "docs/course/steps/guest.inc"
%include "docs/course/steps/04/types.inc"

        set_mtrrs
        mov     dword [UC_START], 0x600d
        say     "64 KiB from 2 MiB on are UC, by MTRR"
        touch_three
        say     "a device comes that goes around the caches"
        mov     eax, 1
        vmcall
        touch_three
        say     "it goes"
        xor     eax, eax
        vmcall
        touch_three
        cmp     dword [UC_START], 0x600d
        jne     lost
        say     "what I wrote is still there"
        hlt
lost:   say     "FAIL: a byte was lost"
        hlt
