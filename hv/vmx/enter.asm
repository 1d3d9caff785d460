; SPDX-License-Identifier: MIT
; The world switch. vcpu_enter() runs the guest until an exit handler says to leave; between exits
; that are handled at once nothing of the host's registers needs saving, so a round trip costs
; fifteen loads, fifteen pushes and one call.
;
; The trick: the VMCS's HOST_RSP is the end of vcpu->gpr[16], so the pushes after an exit store
; the guest's registers where they belong. While that lasts only an NMI or a fault could use the
; stack, and those run on a stack of their own (IST).
;
; The last look at what is asked of this CPU is at cpu->woken where a stay begins, and at cpu->slice
; behind an exit. An NMI before it sets them to 1; one behind it, up to the VM entry, finds RIP between a begin and an end and goes on at a 'not'
; (hv/machine/traps.c). There only RSP counts, which does not change in between.

        bits    64
        default rel
        section .text
        global  vcpu_enter, vcpu_exit_entry
        global  vcpu_exit_entry_watched, enter_begin, enter_end, enter_not
        global  resume_begin, resume_end, watched_begin, watched_end, resume_not
        extern  exit_dispatch, exit_dispatch_watched

HOST_RSP_OFFSET equ 16 * 8              ; vcpu->host_rsp, asserted in hv/vm/vcpu.c
CPU_SLICE       equ 20                  ; in struct cpu, asserted in hv/machine/cpu.c
CPU_WOKEN       equ 24
GPR             equ 8                   ; bytes each, in encoding order

ENTER_FAILED    equ 0                   ; enum enter_result in hv/vm/run.c
ENTER_LEFT      equ 1
ENTER_KICKED    equ 2

%macro load_guest_registers 0
        mov     rax, [rdi + 0 * GPR]
        mov     rcx, [rdi + 1 * GPR]
        mov     rdx, [rdi + 2 * GPR]
        mov     rbx, [rdi + 3 * GPR]
        mov     rbp, [rdi + 5 * GPR]
        mov     rsi, [rdi + 6 * GPR]
        mov     r8, [rdi + 8 * GPR]
        mov     r9, [rdi + 9 * GPR]
        mov     r10, [rdi + 10 * GPR]
        mov     r11, [rdi + 11 * GPR]
        mov     r12, [rdi + 12 * GPR]
        mov     r13, [rdi + 13 * GPR]
        mov     r14, [rdi + 14 * GPR]
        mov     r15, [rdi + 15 * GPR]
        mov     rdi, [rdi + 7 * GPR]
%endmacro

; enum enter_result vcpu_enter(struct vcpu *vcpu, bool launched): failed when the VM entry failed
; before it began (SDM 3C 27.1).
vcpu_enter:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        sub     rsp, 8
        mov     [rdi + HOST_RSP_OFFSET], rsp
        cmp     dword [gs:CPU_WOKEN], 0
enter_begin:
        jne     enter_not
        test    esi, esi                ; the loads below keep the flags
        load_guest_registers
        jnz     .resume
        vmlaunch
        jmp     failed
.resume:
        vmresume
enter_end:
failed:
        xor     eax, eax
        jmp     leave_guest
enter_not:
        mov     eax, ENTER_KICKED
        jmp     leave_guest

; HOST_RIP: RSP = &vcpu->gpr[16]. %1 is the function that serves the exit, %2 the window's name.
%macro serve_exit 2
        push    r15
        push    r14
        push    r13
        push    r12
        push    r11
        push    r10
        push    r9
        push    r8
        push    rdi
        push    rsi
        push    rbp
        push    rsp                     ; the unused slot
        push    rbx
        push    rdx
        push    rcx
        push    rax
        mov     rdi, rsp
        mov     rsp, [rdi + HOST_RSP_OFFSET]
        mov     rbx, rdi
        call    %1
        test    eax, eax
        jz      resume_not
        mov     rdi, rbx
        dec     dword [gs:CPU_SLICE]    ; one instruction: an NMI comes before or behind it
%2_begin:
        jz      resume_not
        load_guest_registers
        vmresume
%2_end:
        jmp     failed
%endmacro

        align   16
vcpu_exit_entry:
        serve_exit exit_dispatch, resume

; The same while somebody watches exits (hv/monitor/watch.c): who does not, pays nothing for it.
        align   16
vcpu_exit_entry_watched:
        serve_exit exit_dispatch_watched, watched

resume_not:
        mov     eax, ENTER_LEFT
leave_guest:
        add     rsp, 8
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
