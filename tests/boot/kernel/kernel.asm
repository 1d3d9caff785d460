; SPDX-License-Identifier: MIT
; A multiboot2 kernel of one page that stands in for the hypervisor when tools/boot and tools/iso
; themselves are tested: it writes its own command line and each module's to COM1, then acts by
; the last character of its own: a digit ends the machine with that status, as the contract
; says; h hangs, r resets by the keyboard controller, t triple-faults, m ends without a last line,
; e writes what it reads from COM1 up to a Ctrl-D and ends with status 0.
; It never touches memory outside its image.
bits 32

COM1		equ 0x3f8
COM1_LCR	equ COM1 + 3
COM1_LSR	equ COM1 + 5
LCR_8N1		equ 3
LSR_DR		equ 1
LSR_THRE	equ 0x20
LSR_TEMT	equ 0x40
E9		equ 0xe9
EXIT		equ 0xf4
SHUTDOWN	equ 0x8900
KBC		equ 0x64
KBC_RESET	equ 0xfe
CTRL_D		equ 4
TAG_CMDLINE	equ 1
TAG_MODULE	equ 3
MODULE_STRING	equ 16

section .text
align 8
header:
	dd 0xe85250d6, 0, header_end - header
	dd -(0xe85250d6 + (header_end - header))
	dw 0, 0
	dd 8
header_end:

global _start
_start:
	cli
	cld
	mov esp, stack_top
	mov dx, COM1_LCR
	mov al, LCR_8N1
	out dx, al
	mov byte [verb], 'm'
	lea ebp, [ebx + 8]		; the first tag follows total_size and reserved
.tag:
	mov eax, [ebp]
	test eax, eax
	jz act
	cmp eax, TAG_CMDLINE
	je .cmdline
	cmp eax, TAG_MODULE
	je .module
.next:
	mov eax, [ebp + 4]
	lea ebp, [ebp + eax + 7]
	and ebp, -8			; tags are aligned to 8 bytes
	jmp .tag
.cmdline:
	mov esi, text_options
	call puts
	lea esi, [ebp + 8]
	call puts
	mov al, [esi - 2]		; the character before the terminating zero
	mov [verb], al
	mov esi, text_newline
	call puts
	jmp .next
.module:
	mov esi, text_module
	call puts
	lea esi, [ebp + MODULE_STRING]
	call puts
	mov esi, text_newline
	call puts
	jmp .next

act:
	mov esi, text_trace		; two lines for --trace
.trace:
	lodsb
	test al, al
	jz .traced
	out E9, al
	jmp .trace
.traced:
	mov al, [verb]
	cmp al, 'h'
	je hang
	cmp al, 't'
	je triple
	cmp al, 'r'
	je reset
	cmp al, 'm'
	je power_off
	cmp al, 'e'
	je echo
end:
	mov [status], al
	mov esi, text_end
	call puts
	call drain
	mov al, [status]
	sub al, '0'
	out EXIT, al
power_off:
	call drain
	mov esi, text_shutdown
	mov dx, SHUTDOWN
	mov ecx, 8
	rep outsb
reset:
	mov al, KBC_RESET
	out KBC, al
hang:
	hlt
	jmp hang
triple:
	lidt [no_idt]
	ud2

echo:
	mov dx, COM1_LSR
.wait:
	in al, dx
	test al, LSR_DR
	jz .wait
	mov dx, COM1
	in al, dx
	cmp al, CTRL_D
	je .done
	mov bl, al
	call drain
	mov dx, COM1
	mov al, bl
	out dx, al
	jmp echo
.done:
	mov al, '0'
	jmp end

; Write the string at ESI to COM1; leaves ESI behind its zero.
puts:
	mov dx, COM1_LSR
.wait:
	in al, dx
	test al, LSR_THRE
	jz .wait
	lodsb
	test al, al
	jz .done
	mov dx, COM1
	out dx, al
	jmp puts
.done:
	ret

; Wait until the last byte has left COM1: the machine may end right after.
drain:
	mov dx, COM1_LSR
.wait:
	in al, dx
	test al, LSR_TEMT
	jz .wait
	ret

section .data
text_options	db "hv: options: ", 0
text_module	db "hv: module: ", 0
text_newline	db 10, 0
text_end	db "hv: end: status "
status		db "0", 10, 0
text_trace	db "trace: one", 10, "trace: two", 10, 0
text_shutdown	db "Shutdown"
verb		db 0
no_idt		dw 0
		dd 0

section .bss
align 16
	resb 1024
stack_top:
