; SPDX-License-Identifier: MIT
; The guest of step 1, in 64-bit mode like its hypervisor: one register changes, then HLT.
        bits    64
        section .text
        global  guest_code
guest_code:
        mov     eax, 0x600d
        hlt
