; SPDX-License-Identifier: MIT
; The smallest image: no library, no long mode, no paging. Prints one line with its command line
; from 32-bit protected mode and exits with 0. It is the loader's ELF32 case that never leaves
; the state a guest starts in.
bits 32
MULTIBOOT_MAGIC	equ 0x1badb002
MULTIBOOT_FLAGS	equ 3
COMMAND_LINE	equ 16			; in the multiboot information
COM1		equ 0x3f8
EXIT_PORT	equ 0xf4

section .multiboot
align 4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .text
global guest_entry
guest_entry:
	mov esp, stack_top
	mov ebp, ebx
	mov esi, hello
	call print
	mov esi, [ebp + COMMAND_LINE]
	call print
	mov esi, newline
	call print
	xor eax, eax
	out EXIT_PORT, eax
.stop:	cli
	hlt
	jmp .stop

; ESI: a string that ends with 0.
print:	mov edx, COM1
.next:	lodsb
	test al, al
	jz .done
	out dx, al
	jmp .next
.done:	ret

section .rodata
hello:	db "Hello from 32-bit protected mode. My command line is ", 0
newline: db 10, 0

section .bss
align 16
	resb 1024
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
