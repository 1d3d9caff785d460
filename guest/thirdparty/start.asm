; SPDX-License-Identifier: MIT
; Entry of guest/thirdparty: a multiboot1 header, identity-mapped 2 MiB pages for 4 GiB, long mode,
; the other CPUs' way there, and the stubs of the interrupts the kernel takes. It owes nothing to guest/lib.
bits 32
MAGIC	equ 0x1badb002
FLAGS	equ 3

section .multiboot
align 4
	dd MAGIC, FLAGS, -(MAGIC + FLAGS)

section .text
global guest_entry, interrupt_stub, call_stub, flush_stub, ap_start, ap_start_end, pml4
extern kernel_main, kernel_interrupt, ap_main, cpus_call, cpus_flush
guest_entry:
	mov esp, stack_top
	mov edi, pml4
	mov dword [edi], pdpt + 3
	mov edi, pdpt
	mov eax, pd + 3
.pdpt:	mov [edi], eax
	add edi, 8
	add eax, 0x1000
	cmp edi, pdpt + 4 * 8
	jne .pdpt
	mov edi, pd
	mov eax, 0x83			; present, writable, 2 MiB
.pd:	mov [edi], eax
	add edi, 8
	add eax, 0x200000
	cmp edi, pd + 4 * 0x1000
	jne .pd
	call long_mode_on
	lgdt [gdt_pointer]
	jmp 8:long_mode

long_mode_on:
	mov eax, cr4
	or eax, 1 << 5			; PAE
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax
	mov ecx, 0xc0000080		; EFER.LME
	rdmsr
	or eax, 1 << 8
	wrmsr
	mov eax, cr0
	or eax, 1 << 31
	mov cr0, eax
	ret

; Copied to address 0, where the start-up IPI makes a CPU begin; each takes the next stack.
bits 16
ap_start:
	cli
	mov ax, cs
	mov ds, ax
	o32 lgdt [.pointer - ap_start]
	mov eax, 0x11			; PE, ET: caching on
	mov cr0, eax
	jmp dword 24:ap_protected
.pointer:
	dw gdt_pointer - gdt - 1
	dd gdt
ap_start_end:

bits 32
ap_protected:
	mov eax, 16
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov eax, 0x2000
	lock xadd [ap_stack], eax
	mov esp, eax
	call long_mode_on
	jmp 8:.long_mode
bits 64
.long_mode:
	mov esp, esp
	call ap_main

long_mode:
	xor eax, eax
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, stack_top
	call kernel_main
.stop:	cli
	hlt
	jmp .stop

%macro STUB 2
%1:
	push rax
	push rcx
	push rdx
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	cld
	call %2
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rax
	iretq
%endmacro

STUB interrupt_stub, kernel_interrupt
STUB call_stub, cpus_call
STUB flush_stub, cpus_flush

section .rodata
align 8
gdt:	dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_pointer:
	dw gdt_pointer - gdt - 1
	dd gdt

section .data
ap_stack: dd ap_stacks + 0x2000

section .bss
align 4096
pml4:	resb 0x1000
pdpt:	resb 0x1000
pd:	resb 4 * 0x1000
	resb 0x4000
stack_top:
ap_stacks: resb 15 * 0x2000

section .note.GNU-stack noalloc noexec nowrite progbits
