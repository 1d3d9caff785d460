; SPDX-License-Identifier: MIT
; The guest of step 5 programs the IOMMU: root table, translation on, then a context entry for the
; device 00:02.0, which it takes back in the end. Registers by MOV with EAX only.
%include "docs/course/steps/guest.inc"
%include "docs/course/steps/04/types.inc"

UNIT            equ     0xfed90000
GCMD            equ     UNIT + 0x18     ; VT-d 11.4.4
GSTS            equ     UNIT + 0x1c
RTADDR          equ     UNIT + 0x20     ; VT-d 11.4.5; the high half stays 0
CCMD_HIGH       equ     UNIT + 0x2c     ; VT-d 11.4.6.1; the low half does not matter here
SET_ROOT        equ     1 << 30
TRANSLATION     equ     1 << 31
INVALIDATE      equ     1 << 31         ; ICC, bit 63
ALL_CONTEXTS    equ     1 << 29         ; CIRG, bits 62:61

ROOT            equ     0x10000         ; tables, zero so far (VT-d 9.1, 9.3, 9.8)
CONTEXTS        equ     0x11000
PAGES           equ     0x12000
CONTEXT         equ     CONTEXTS + 0x10 * 16    ; 00:02.0
PRESENT         equ     1
WIDTH_39        equ     1
DOMAIN          equ     7 << 8

; Have the unit read the context entries anew, and wait until it has done all that follows.
%macro invalidate_contexts 0
        mov     eax, INVALIDATE | ALL_CONTEXTS
        mov     [CCMD_HIGH], eax
%%wait: mov     eax, [CCMD_HIGH]
        test    eax, INVALIDATE
        jnz     %%wait
%endmacro

; Give the unit a command (all that is on is kept by saying it again) and wait for its status.
%macro command 2                        ; GCMD, the bit of GSTS
        mov     eax, %1
        mov     [GCMD], eax
%%wait: mov     eax, [GSTS]
        test    eax, %2
        jz      %%wait
%endmacro

        set_mtrrs
        touch_three
        mov     dword [ROOT], CONTEXTS | PRESENT
        mov     eax, ROOT
        mov     [RTADDR], eax
        command SET_ROOT, SET_ROOT
        command TRANSLATION, TRANSLATION
        say     "translation is on, no device has a context entry"
        mov     dword [CONTEXT + 8], WIDTH_39 | DOMAIN
        mov     dword [CONTEXT], PAGES | PRESENT
        say     "a context entry for 00:02.0 is in memory"
        invalidate_contexts
        say     "and the unit has read it"
        touch_three
        mov     dword [CONTEXT], 0
        invalidate_contexts
        touch_three
        say     "the entry is gone"
        hlt
