; SPDX-License-Identifier: MIT
; Where every guest image starts: the multiboot header, the 32-bit entry, the switch to 64-bit
; long mode over an identity map of 4 GiB, and the exception stubs. Calls guest_start() in
; start.c and never returns; it knows nothing of devices.

%include "guest/lib/long_mode.inc"

MULTIBOOT_MAGIC equ 0x1badb002
MULTIBOOT_FLAGS equ 3			; modules page-aligned, memory information wanted
; Present, writable, user: a test may run code at CPL 3 on any page.
PTE_PWU		equ 7
PDE_2M		equ PTE_PWU | 1 << 7
DIRECTORIES	equ 4			; of 1 GiB each

section .text
bits 32
global guest_entry
guest_entry:
	mov esp, stack_top
	pushfd
	pop dword [entry_state.eflags]
	cli
	cld
	mov [multiboot_magic], eax
	mov [multiboot_info], ebx
	mov eax, cr0
	mov [entry_state.cr0], eax
	mov eax, cr4
	mov [entry_state.cr4], eax

	mov dword [pml4], pdpt + PTE_PWU
	mov eax, page_directories + PTE_PWU
	mov edi, pdpt
.directory:
	mov [edi], eax
	add eax, 0x1000
	add edi, 8
	cmp edi, pdpt + 8 * DIRECTORIES
	jb .directory
	xor ecx, ecx
.page:	mov eax, ecx
	shl eax, 21
	or eax, PDE_2M
	mov [page_directories + ecx * 8], eax
	inc ecx
	cmp ecx, 512 * DIRECTORIES
	jb .page

	to_long_mode long_mode, entry_state.efer

bits 64
long_mode:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	mov rsp, stack_top
	xor ebp, ebp
	mov edi, [multiboot_magic]
	mov esi, [multiboot_info]
	extern guest_start
	call guest_start
.stop:	cli
	hlt
	jmp .stop

; int try_call(void (*function)(void *), void *argument): -1, or the vector of the exception that
; ended the call. See start.h.
global try_call, try_resume, try_rsp
try_call:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	push qword [try_rsp]		; of a call around this one
	mov [try_rsp], rsp
	mov rax, rdi
	mov rdi, rsi
	sub rsp, 8
	call rax
	add rsp, 8
	mov eax, -1
.out:	cli				; a PIC may give vectors below 32: none from here on
	pop qword [try_rsp]
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; void try_resume(int vector): from the exception handler, back to where try_call was called.
try_resume:
	mov rsp, [try_rsp]
	mov eax, edi
	jmp try_call.out

; void enter_user(void (*function)(void *), void *argument, void *stack_top): run it at CPL 3.
; Only an exception leads back: INT3 is meant for it (start.h).
global enter_user
enter_user:
	mov rax, rdi
	mov rdi, rsi
	mov ecx, 0x1b			; user data
	mov ds, ecx
	mov es, ecx
	push rcx
	push rdx
	push 2				; RFLAGS: interrupts off
	push 0x23			; user code
	push rax
	iretq

; One stub of 16 bytes per vector: push an error code where the CPU does not, then the vector.
%macro STUB 1
align 16
%if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17 || %1 == 21
	; the CPU pushed an error code
%else
	push 0
%endif
	push strict dword %1
	jmp strict near exception
%endmacro

global exception_stubs
align 16
exception_stubs:
%assign vector 0
%rep 256
	STUB vector
%assign vector vector + 1
%endrep

; The registers in the order of 'struct exception' (start.h).
exception:
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov rdi, rsp
	extern exception_handle
	call exception_handle
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	add rsp, 16
	iretq

; First in the image all the same (guest.ld): behind the code for gdb's sake, see boot/entry.asm.
section .multiboot
align 4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .data
align 16
global gdt, gdt_pointer
gdt:	dq 0
	dq 0x00af9b000000ffff		; 0x08 code, 64-bit
	dq 0x00cf93000000ffff		; 0x10 data
	dq 0x00cff3000000ffff		; 0x18 user data
	dq 0x00affb000000ffff		; 0x20 user code, 64-bit
	dq 0, 0				; 0x28 TSS, filled by start.c
	dq 0x00cf9b000000ffff		; 0x38 code, 32-bit: compatibility mode
gdt_end:
gdt_pointer:
	dw gdt_end - gdt - 1
	dq gdt

section .bss
alignb 4096
global pml4, page_directories
pml4:			resb 4096
pdpt:			resb 4096
page_directories:	resb 4096 * DIRECTORIES
stack:			resb 16384
stack_top:
multiboot_magic:	resd 1
multiboot_info:		resd 1
try_rsp:		resq 1
global entry_state
entry_state:				; see start.h
.cr0:			resd 1
.cr4:			resd 1
.efer:			resd 1
.eflags:		resd 1

section .note.GNU-stack noalloc noexec nowrite progbits
