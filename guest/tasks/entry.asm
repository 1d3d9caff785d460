; SPDX-License-Identifier: MIT
; What only 32-bit protected mode has: hardware task switches by JMP, CALL, IRET and gates, segment
; limits, PDPTEs, exceptions in the delivery of others, 16-bit code with a large limit; and real mode. Like
; guest/fidelity it prints without a judgement, on the bare machine and as a guest, and the lines are
; compared (tests/boot/fidelity.bats).
MULTIBOOT_MAGIC	equ 0x1badb002
MULTIBOOT_FLAGS	equ 3
COM1		equ 0x3f8
EXIT_PORT	equ 0xf4
BOCHS_EXIT	equ 0x8900
VIDEO		equ 0xa0000		; memory that is no RAM, in a guest of ours
ICR		equ 0xfee00300
ICR_NMI		equ 0x400
SVR		equ 0xfee000f0
CR0_TS		equ 1 << 3
CR0_AM		equ 1 << 18
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
CR4_VME		equ 1 << 0
FLAG_NT		equ 1 << 14
FLAG_VM		equ 1 << 17
FLAG_AC		equ 1 << 18
FLAG_VIP	equ 1 << 20

CODE		equ 0x08
DATA		equ 0x10
MAIN		equ 0x18		; TSSs
OTHER		equ 0x20
BROKEN		equ 0x28
TRAPPED		equ 0x30
VIDEO_DATA	equ 0x38		; its limit is 0x8f
CODE16		equ 0x40
USER_CODE	equ 0x4b
USER_DATA	equ 0x53
SMALL		equ 0x58		; a TSS of 16 bits
CODE_LOW	equ 0x60		; code whose offsets fit into 16 bits
STACK_LOW	equ 0x68		; and a stack of such, at BASE16
OWN_LDT		equ 0x70
ABSENT		equ 0x78
SHORT_STACK	equ 0x83
LOW16		equ 0x88
DATA16		equ 0x90
BASE16		equ 0x200000
LOW		equ 0x100000
GATE		equ 0x60		; vectors
USER_GATE	equ 0x61
SMALL_GATE	equ 0x62

; The fields of a TSS.
TSS_LINK	equ 0
TSS_ESP0	equ 4
TSS_SS0		equ 8
TSS_EIP		equ 32
TSS_EFLAGS	equ 36
TSS_EAX		equ 40
TSS_ESP		equ 56
TSS_ES		equ 72
TSS_CS		equ 76
TSS_SS		equ 80
TSS_DS		equ 84
TSS_GS		equ 92
TSS_LDT		equ 96
TSS_TRAP	equ 100
TSS_SIZE	equ 104
; And those of one of 16 bits.
SMALL_LINK	equ 0
SMALL_IP	equ 14
SMALL_FLAGS	equ 16
SMALL_AX	equ 18
SMALL_SP	equ 26
SMALL_SI	equ 30
SMALL_ES	equ 34
SMALL_CS	equ 36
SMALL_SS	equ 38
SMALL_DS	equ 40
SMALL_SIZE	equ 44
; expect LABEL: an exception goes on there, once; its vector, error code and EIP are in 'seen'.
%macro expect 1
	mov dword [resume], %1
	mov [resume_esp], esp
	mov dword [seen.vector], -1
%endmacro

; tss SELECTOR, ADDRESS: into the GDT, available.
%macro tss 2
	mov eax, %2
	mov word [gdt + %1], TSS_SIZE - 1
	mov [gdt + %1 + 2], ax
	shr eax, 16
	mov [gdt + %1 + 4], al
	mov byte [gdt + %1 + 5], 0x89
	mov byte [gdt + %1 + 6], 0
	mov [gdt + %1 + 7], ah
%endmacro

section .multiboot
align 4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .text
bits 32
%include "guest/tasks/console.inc"
global guest_entry
guest_entry:
	cli
	mov esp, stack_top
	lgdt [gdt_pointer]
	jmp CODE:.reloaded
.reloaded:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	mov eax, cr0
	and eax, ~(1 << 30 | 1 << 29)	; what a BIOS may leave: CD and NW
	mov cr0, eax
	call make_uart
	call make_idt
	tss MAIN, main_tss
	tss OTHER, other_tss
	tss BROKEN, broken_tss
	tss TRAPPED, trapped_tss
	mov dword [main_tss + TSS_ESP0], kernel_stack_top
	mov dword [main_tss + TSS_SS0], DATA
	mov edi, other_tss
	mov ebx, other_task
	call fill_tss
	mov edi, broken_tss
	mov ebx, other_task
	call fill_tss
	mov word [broken_tss + TSS_DS], MAIN
	mov edi, trapped_tss
	mov ebx, trapped_task
	call fill_tss
	mov byte [trapped_tss + TSS_TRAP], 1
	tss SMALL, small_tss
	mov word [gdt + SMALL], SMALL_SIZE - 1
	mov byte [gdt + SMALL + 5], 0x81
	mov edi, small_tss
	mov eax, small_task - LOW
	mov [edi + SMALL_IP], ax
	mov word [edi + SMALL_FLAGS], 0x3002
	mov word [edi + SMALL_AX], 0x5678
	mov word [edi + SMALL_SP], 0x4000
	mov word [edi + SMALL_CS], CODE_LOW
	mov word [edi + SMALL_SS], STACK_LOW
	mov word [edi + SMALL_DS], DATA
	mov word [edi + SMALL_ES], DATA
	mov eax, MAIN
	ltr ax
	call task_switches
	call small_task_switches
	call odd_switches
	call virtual_8086
	call real_mode
	call limits
	call pdptes
	call pae_paging
	call long_16_bit_code
	call misaligned_delivery
	call faulting_iret
	say {"done", 10}
	mov edx, COM1 + 5
.drain:	in al, dx
	test al, 0x40
	jz .drain
	xor eax, eax
	mov edx, EXIT_PORT
	out dx, eax
	mov esi, shutdown
	mov edx, BOCHS_EXIT
	mov ecx, 8
	rep outsb
.stop:	hlt
	jmp .stop

; A TSS at EDI that begins at EBX.
fill_tss:
	mov [edi + TSS_EIP], ebx
	mov dword [edi + TSS_ESP], other_stack_top
	mov dword [edi + TSS_EFLAGS], 2
	mov dword [edi + TSS_EAX], 0x12345678
	mov word [edi + TSS_CS], CODE
	mov word [edi + TSS_SS], DATA
	mov word [edi + TSS_DS], DATA
	mov word [edi + TSS_ES], DATA
	ret

; What a task finds when it begins, and what the CPU made of the others.
other_task:
	mov [found_eax], eax
	pushfd
	pop eax
	and eax, 0x7fd7
	tell "  in the other task: flags ", eax
	tell " eax ", [found_eax]
	mov eax, cr0
	and eax, CR0_TS
	clts
	tell " TS ", eax
	str eax
	tell " TR ", eax
	movzx eax, word [other_tss + TSS_LINK]
	tell " link ", eax
	movzx eax, byte [gdt + MAIN + 5]
	tell " main's type ", eax
	mov eax, esp
	sub eax, other_stack_top
	tell " stack ", eax
	say {10}
	cmp dword [with_error], 0
	je .back
	pop eax
	tell "  the error code ", eax
	say {10}
	mov dword [with_error], 0
	mov dword [main_tss + TSS_EIP], task_switches.behind_fault
.back:	pushfd
	test dword [esp], FLAG_NT
	lea esp, [esp + 4]
	jnz .nested
	jmp MAIN:0
	jmp other_task			; where the next JMP goes on
.nested:
	iret
	jmp other_task			; and the next CALL

trapped_task:
	jmp MAIN:0

; after: the line of a switch that has come back to the main task.
%macro after 1
	pushfd
	pop ebx
	and ebx, FLAG_NT
	mov ecx, cr0
	and ecx, CR0_TS
	clts
	say {%1}
	tell ": back with NT ", ebx
	tell " TS ", ecx
	mov eax, [main_tss + TSS_EFLAGS]
	and eax, 0x7fd7
	tell " saved flags ", eax
	movzx eax, byte [gdt + MAIN + 5]
	tell " main's type ", eax
	movzx eax, byte [gdt + OTHER + 5]
	tell " the other's ", eax
	tell " esi ", esi
	say {10}
%endmacro

task_switches:
	mov esi, 0xabcd
	jmp OTHER:0
	after "JMP to a TSS and back"
	call OTHER:0
	after "CALL of a TSS, IRET"
	int GATE
	after "INT through a task gate, IRET"
	mov dword [with_error], 1
	mov eax, 0xfff8
	mov fs, ax			; #GP through a task gate
.behind_fault:
	after "#GP through a task gate"
	mov edi, idt + 13 * 8
	mov eax, exception13
	call gate
	expect .broken
	jmp BROKEN:0
.broken:
	tell "JMP to a task with a bad DS: vector ", [seen.vector]
	tell " error ", [seen.error]
	str eax
	tell " TR ", eax
	say {10}
	call restore_main
	expect .busy
	jmp MAIN:0
.busy:	tell "JMP to a busy TSS: vector ", [seen.vector]
	tell " error ", [seen.error]
	say {10}
	mov eax, 0xffff0ff0
	mov dr6, eax
	expect .trapped
	jmp TRAPPED:0
.trapped:
	tell "JMP to a TSS with T: vector ", [seen.vector]
	mov eax, dr6
	and eax, 0xe00f
	tell " DR6 ", eax
	mov eax, [seen.eip]
	sub eax, trapped_task
	tell " EIP ", eax
	say {10}
	call restore_main
	ret

%include "guest/tasks/small.inc"
%include "guest/tasks/odd.inc"
%include "guest/tasks/real.inc"
%include "guest/tasks/paging.inc"

; The main task again, from wherever an exception led.
restore_main:
	mov byte [gdt + MAIN + 5], 0x89
	mov eax, MAIN
	ltr ax
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	clts
	ret

; Segment limits at each iteration.
limits:
	mov eax, VIDEO_DATA
	mov es, eax
	mov edi, 0x80
	mov ecx, 8
	xor eax, eax
	expect .stos
	rep stosd
.stos:	tell "REP STOSD over the limit: vector ", [seen.vector]
	tell " error ", [seen.error]
	tell " ecx ", [seen.ecx]
	tell " edi ", [seen.edi]
	mov eax, [seen.eflags]
	and eax, 1 << 16
	tell " RF ", eax
	say {10}
	mov eax, VIDEO_DATA
	mov es, eax
	mov edi, 0x88
	mov ecx, 9
	mov edx, 0x71
	expect .ins
	rep insb
.ins:	tell "REP INSB over it: vector ", [seen.vector]
	tell " ecx ", [seen.ecx]
	say {10}
	mov eax, VIDEO_DATA
	mov es, eax
	mov edi, 0x8c
	mov ecx, 3
	mov esi, stack_top - 64
	expect .movs
	rep movsd
.movs:	tell "REP MOVSD over it: vector ", [seen.vector]
	tell " ecx ", [seen.ecx]
	say {10}
	mov eax, DATA
	mov es, eax
	ret

; MOV to CR0 that turns PAE paging on, with a reserved bit in the fourth PDPTE.
pdptes:
	mov dword [pdpt], 1
	mov dword [pdpt + 24], 0x1e7
	mov eax, pdpt
	mov cr3, eax
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	expect .bad
	mov eax, cr0
	or eax, CR0_PG
	mov cr0, eax
.bad:	tell "paging with a bad PDPTE: vector ", [seen.vector]
	mov eax, cr0
	and eax, CR0_PG
	tell " PG ", eax
	mov eax, [seen.eflags]
	and eax, 1 << 16
	tell " RF ", eax
	say {10}
	mov eax, cr4
	and eax, ~CR4_PAE
	mov cr4, eax
	ret

; OUT and an access to video memory as the last bytes below 64 KiB of 16-bit code.
long_16_bit_code:
	mov edi, BASE16 + 0xfff8
	mov esi, code16
	mov ecx, code16_end - code16
	rep movsb
	mov eax, VIDEO
	expect .fault
	jmp CODE16:0xfff8
.fault:	say {"16-bit code over 64 KiB faults", 10}
	ret
come_back:
	say {"16-bit code over 64 KiB goes on", 10}
	ret

; An interrupt to CPL 3, at CPL 3, on a stack that is not aligned, with alignment checks.
misaligned_delivery:
	mov eax, cr0
	or eax, CR0_AM
	mov cr0, eax
	expect .caught
	push USER_DATA
	push user_stack_top - 2
	push FLAG_AC | 2
	push USER_CODE
	push .user
	iret
.user:	int USER_GATE
.caught:
	tell "a misaligned stack in the delivery of an interrupt: vector ", [seen.vector]
	tell " error ", [seen.error]
	mov eax, [seen.eip]
	sub eax, .user
	tell " EIP ", eax
	say {10}
	mov eax, cr0
	and eax, ~CR0_AM
	mov cr0, eax
	ret

; The NMI's IRET faults: are NMIs unblocked in the handler of that fault?
faulting_iret:
	mov dword [SVR], 0x1ff
	mov dword [ICR + 0x10], 0
	expect .caught
	mov dword [ICR], ICR_NMI
	nop
.caught:
	mov eax, [nmis]
	tell "an IRET of an NMI's handler that faults: vector ", [seen.vector]
	tell " error ", [seen.error]
	tell " NMIs ", eax
	mov dword [ICR], ICR_NMI
	nop
	tell " and with one more ", [nmis]
	say {10}
	ret
on_nmi:
	inc dword [nmis]
	cmp dword [nmis], 1
	jne .good
	mov word [esp + 4], 0xfff8
.good:	iret

; Exceptions: note what came, and go on at 'resume' with the stack of then.
%macro stub 1
exception%1:
%if !(%1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17)
	push 0
%endif
	push %1
	jmp exception
%endmacro
%assign vector 0
%rep 20
	stub vector
%assign vector vector + 1
%endrep

exception:
	pop dword [ss:seen.vector]
	pop dword [ss:seen.error]
	pop dword [ss:seen.eip]
	pop dword [ss:seen.cs]
	pop dword [ss:seen.eflags]
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov [seen.ecx], ecx
	mov [seen.edi], edi
	str [seen.tr]
	mov esp, [resume_esp]
	jmp [resume]

make_idt:
	mov edi, idt
%assign vector 0
%rep 20
	mov eax, exception%+vector
	call gate
%assign vector vector + 1
%endrep
	mov edi, idt + 2 * 8
	mov eax, on_nmi
	call gate
	mov edi, idt + 13 * 8		; task_switches gives it its own later
	mov dword [edi], OTHER << 16
	mov dword [edi + 4], 0x8500
	mov edi, idt + GATE * 8
	mov dword [edi], OTHER << 16
	mov dword [edi + 4], 0x8500
	mov edi, idt + SMALL_GATE * 8
	mov dword [edi], SMALL << 16
	mov dword [edi + 4], 0x8500
	mov edi, idt + USER_GATE * 8
	mov eax, user_handler
	call gate
	mov word [edi - 8 + 2], USER_CODE
	mov word [edi - 8 + 4], 0xee00
	lidt [idt_pointer]
	ret
gate:	mov [edi], ax
	mov word [edi + 2], CODE
	mov word [edi + 4], 0x8e00
	shr eax, 16
	mov [edi + 6], ax
	add edi, 8
	ret
user_handler:
	iret

section .rodata
digits:	db "0123456789abcdef"
shutdown: db "Shutdown"
uart_setting:				; the low byte of the port, and what goes there
	db 0xfb, 0x80, 0xf8, 1, 0xf9, 0, 0xfb, 3, 0xfa, 7, 0xf9, 0
uart_setting_end:
code16:
bits 16
	mov [eax], bl			; 3 bytes with its prefix
	times 3 nop
	out 0x80, al			; the last two below 64 KiB
	mov [eax], bl
	jmp dword CODE:come_back
code16_end:
bits 32

section .data
align 8
gdt:	dq 0
	dq 0x00cf9b000000ffff		; code
	dq 0x00cf93000000ffff		; data
	times 4 dq 0			; TSSs
	dq 0x000093000000008f | VIDEO << 16 ; up to 0x8f
	dq 0x008f9b000000ffff | BASE16 << 16 ; 16-bit code, 4 GiB
	dq 0x00cffb000000ffff		; code of CPL 3
	dq 0x00cff3000000ffff		; data of CPL 3
	dq 0				; the 16-bit TSS
	dq 0x00409b000000ffff | LOW << 16 ; code of 32 bits, the image's first 64 KiB
	dq 0x000093000000ffff | BASE16 << 16 ; a stack that uses SP
	dq 0x000082000000000f		; an LDT of two empty places
	dq 0x00cf13000000ffff		; data that is not present
	dq 0x0040f30000000fff		; a stack of CPL 3 of 4 KiB
	dq 0x00009b000000ffff		; code and data as real mode has them
	dq 0x000093000000ffff
gdt_end:
gdt_pointer:
	dw gdt_end - gdt - 1
	dd gdt
idt_pointer:
	dw 0x63 * 8 - 1
	dd idt

section .bss
alignb 4096
pdpt:		resb 4096
idt:		resb 4096
main_tss:	resb TSS_SIZE
alignb 128
other_tss:	resb TSS_SIZE
alignb 128
broken_tss:	resb TSS_SIZE
alignb 128
trapped_tss:	resb TSS_SIZE
alignb 128
small_tss:	resb SMALL_SIZE
found_eax:	resd 1
found_esp:	resd 1
with_error:	resd 1
resume:		resd 1
resume_esp:	resd 1
real_esp:	resd 1
nmis:		resd 1
seen:
.vector:	resd 1
.error:		resd 1
.eip:		resd 1
.eflags:	resd 1
.ecx:		resd 1
.cs:		resd 1
.tr:		resd 1
.edi:		resd 1
alignb 16
	resb 2048
other_stack_top:
	resb 2048
user_stack_top:
	resb 2048
kernel_stack_top:
	resb 4096
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
