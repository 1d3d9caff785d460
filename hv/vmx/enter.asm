; SPDX-License-Identifier: MIT
; The world switch. vcpu_enter() runs the guest until an exit handler says to leave; between exits
; that are handled at once nothing of the host's registers needs saving, so a round trip costs
; fifteen loads, fifteen pushes and one call.
;
; The trick: the VMCS's HOST_RSP is the end of vcpu->gpr[16], so the pushes after an exit store
; the guest's registers where they belong. While that lasts only an NMI or a fault could use the
; stack, and those run on a stack of their own (IST).
;
; The last look at what is asked of this CPU is where its slice counts down, in one instruction. An
; NMI before it sets the slice to 1; one behind it, up to the VM entry, finds RIP between a begin and
; an end and goes on at launch_not or leave (hv/machine/traps.c). There only RSP counts, which does
; not change in between.

%include "boot/stack.inc"

        bits    64
        default rel
        section .text
        global  vcpu_enter, vcpu_exit_entry, vcpu_exit_entry_watched
        global  launch_begin, launch_end, launch_not, resume_begin, resume_end, resume_not
        extern  exit_dispatch, exit_dispatch_watched

HOST_RSP_OFFSET equ 16 * 8              ; vcpu->host_rsp, asserted in hv/vm/vcpu.c
CPU_SLICE       equ 20                  ; in struct cpu, asserted in hv/machine/cpu.c
GPR             equ 8                   ; bytes each, in encoding order

ENTER_FAILED    equ 0                   ; enum enter_result in hv/vm/run.c
ENTER_LEFT      equ 1
ENTER_KICKED    equ 2

; The registers of %2 on, in encoding order from number %1.
%macro loads 2-*
  %assign number %1
  %rep %0 - 1
    %rotate 1
        mov     %1, [rdi + number * GPR]
    %assign number number + 1
  %endrep
%endmacro

%macro load_guest_registers 0
        loads   0, rax, rcx, rdx, rbx
        loads   5, rbp, rsi
        loads   8, r8, r9, r10, r11, r12, r13, r14, r15
        loads   7, rdi
%endmacro

; enum enter_result vcpu_enter(struct vcpu *vcpu, bool launched): failed when the VM entry failed
; before it began (SDM 3C 27.1).
vcpu_enter:
        pushes  rbp, rbx, r12, r13, r14, r15
        sub     rsp, 8
        mov     [rdi + HOST_RSP_OFFSET], rsp
        mov     rbx, rdi
        test    esi, esi
        jnz     resume
        dec     dword [gs:CPU_SLICE]
launch_begin:
        jz      launch_not
        load_guest_registers
        vmlaunch
launch_end:
        jmp     failed
launch_not:
        mov     eax, ENTER_KICKED
        jmp     leave_guest

; HOST_RIP: RSP = &vcpu->gpr[16]. %1 is the function that serves the exit.
%macro serve_exit 1
        pushes  r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp
        push    rsp                     ; the unused slot
        pushes  rbx, rdx, rcx, rax
        mov     rdi, rsp
        mov     rsp, [rdi + HOST_RSP_OFFSET]
        mov     rbx, rdi
        call    %1
        test    eax, eax
%endmacro

; The same while somebody watches exits (hv/monitor/watch.c). It costs nothing while nobody does.
        align   16
vcpu_exit_entry_watched:
        serve_exit exit_dispatch_watched
        jnz     resume
        jmp     resume_not

        align   16
vcpu_exit_entry:
        serve_exit exit_dispatch
        jz      resume_not
resume: mov     rdi, rbx
        dec     dword [gs:CPU_SLICE]
resume_begin:
        jz      resume_not
        load_guest_registers
        vmresume
resume_end:
failed: xor     eax, eax
        jmp     leave_guest

resume_not:
        mov     eax, ENTER_LEFT
leave_guest:
        add     rsp, 8
        pops    rbp, rbx, r12, r13, r14, r15
        ret
