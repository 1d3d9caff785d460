; SPDX-License-Identifier: MIT
; From a start-up IPI to smp_entered() in smp.c: copied below 1 MiB, real mode to long mode on the
; boot CPU's tables, a stack by APIC id.

%include "guest/lib/long_mode.inc"

CR0_PE_ET	equ 0x11
CODE32		equ 0x38		; in entry.asm's GDT

extern gdt, gdt_pointer, pml4, smp_entered
global smp_trampoline, smp_trampoline_end, smp_stack

section .rodata
bits 16
smp_trampoline:
	cli
	cld
	mov ax, cs
	mov ds, ax
	o32 lgdt [.pointer - smp_trampoline]
	mov eax, CR0_PE_ET
	mov cr0, eax
	jmp dword CODE32:protected
.pointer:
	dw CODE32 + 7
	dd gdt
smp_trampoline_end:

section .text
bits 32
protected:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	to_long_mode long_mode

bits 64
long_mode:
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov eax, 1
	cpuid
	shr ebx, 24
	mov rsp, [smp_stack + rbx * 8]
	mov edi, ebx
	xor ebp, ebp
	call smp_entered

section .bss
alignb 8
smp_stack: resq 16

section .note.GNU-stack noalloc noexec nowrite progbits
