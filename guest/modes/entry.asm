; SPDX-License-Identifier: MIT
; The modes a guest can be in beside 64-bit mode: 32-bit protected mode as it is entered, with
; two-level paging, and real mode. Each makes the exits whose handling depends on the mode: VMCALL
; (the low 32 bits count), MMIO with 32- and 16-bit addressing, string output, an interrupt of
; real mode. Prints a check per line and exits with 0 if all held. Needs Leafcutter.
MULTIBOOT_MAGIC	equ 0x1badb002
MULTIBOOT_FLAGS	equ 3
COM1		equ 0x3f8
EXIT_PORT	equ 0xf4
VMCALL_VERSION	equ 0x4c430000
EPT_WALK	equ 0x4c430001
ENOSYS		equ 38
HOLE		equ 0xa0000		; the video hole: reads as ones, drops writes
REAL_SEGMENT	equ 0x0800		; where the real-mode code is copied: 0x8000
REAL_BASE	equ REAL_SEGMENT << 4
LAPIC_VERSION	equ 0xfee00030
VECTOR		equ 0x60		; of the real-mode interrupt
CR0_PE		equ 1
CR0_PG		equ 1 << 31
CR4_PSE		equ 1 << 4
PDE_4M		equ 0x83

CODE32		equ 0x08
DATA32		equ 0x10
CODE16		equ 0x18
DATA16		equ 0x20

section .multiboot
align 4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

; check CONDITION, TEXT: the flags of the instruction before say whether it held. Changes EAX, EDX
; and ESI.
%macro check 2
	j%+1 %%held
	mov esi, fail
	call print
	inc dword [failures]
	jmp %%text
%%held:	mov esi, ok
	call print
%%text:	mov esi, %%string
	call print
	jmp %%end
%%string: db %2, 10, 0
%%end:
%endmacro

; flat SEGMENT: as the VM was entered with it, it reaches from 0 to 4 GiB.
%macro flat 1
%defstr %%name %1
%strcat %%base %%name, ": base 0"
%strcat %%limit %%name, ": up to 4 GiB"
	mov eax, [%1:guest_entry]
	cmp eax, [cs:guest_entry]
	check e, %%base
	cmp dword [%1:LAPIC_VERSION], 0
	check ne, %%limit
%endmacro

section .text
bits 32
global guest_entry
guest_entry:
	mov esp, stack_top
	flat ds
	flat es
	flat ss
	flat fs
	flat gs
	flat cs
	lgdt [gdt_pointer]
	jmp CODE32:.reloaded
.reloaded:
	mov eax, DATA32
	mov ds, eax
	mov es, eax
	mov ss, eax
	call protected_mode
	call with_paging
	call real_mode
	mov eax, [failures]
	test eax, eax
	jz .exit
	mov eax, 1
.exit:	out EXIT_PORT, eax
.stop:	cli
	hlt
	jmp .stop

protected_mode:
	mov eax, VMCALL_VERSION
	xor ebx, ebx
	vmcall
	test eax, eax
	check z, "VMCALL in 32-bit mode returns 0"
	cmp ebx, 2
	check ae, "... and version 2 or above"
	mov eax, EPT_WALK
	mov ebx, protected_mode
	vmcall
	cmp ecx, 1
	check e, "EPT_WALK of this code finds a 4K leaf"
	mov eax, VMCALL_VERSION + 99
	vmcall
	cmp eax, -ENOSYS
	check e, "an unknown number: -ENOSYS in EAX"
	mov dword [HOLE], 0
	cmp dword [HOLE], -1
	check e, "MMIO by an absolute 32-bit address"
	mov ebx, HOLE - 0x80
	mov esi, 0x10
	xor al, al
	mov al, [ebx + esi * 8]
	cmp al, 0xff
	check e, "MMIO by base and scaled index, 1 byte"
	mov esi, 0x10
	xor ah, ah
	mov ah, [ebx + esi * 8]
	cmp ah, 0xff
	check e, "... into AH"
	ret

; 4 MiB pages, identity: CR4.PSE.
with_paging:
	mov edi, page_directory
	mov eax, PDE_4M
.page:	mov [edi], eax
	add edi, 4
	add eax, 1 << 22
	jnc .page
	mov eax, page_directory
	mov cr3, eax
	mov eax, cr4
	or eax, CR4_PSE
	mov cr4, eax
	mov eax, cr0
	or eax, CR0_PG
	mov cr0, eax
	mov dword [HOLE], 0
	cmp dword [HOLE], -1
	check e, "MMIO under 32-bit paging"
	mov eax, VMCALL_VERSION
	vmcall
	cmp ebx, 2
	check ae, "VMCALL under 32-bit paging"
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	ret

; Copy the 16-bit code low, go there and come back. Results are in 'results'.
real_mode:
	mov esi, real_start
	mov edi, REAL_BASE
	mov ecx, real_end - real_start
	rep movsb
	mov [saved_esp], esp
	jmp CODE16:(real_entry - real_start)	; CODE16's base is REAL_BASE
back:	mov eax, DATA32
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, [saved_esp]
	lidt [REAL_BASE + old_idt - real_start]
	cmp word [REAL_BASE + seen_interrupt - real_start], 0x1234
	check e, "real mode: INT reaches its handler and IRET comes back"
	cmp byte [REAL_BASE + seen_mmio8 - real_start], 0xff
	check e, "real mode: MMIO, 1 byte by segment and DI"
	cmp dword [REAL_BASE + seen_mmio32 - real_start], -1
	check e, "real mode: MMIO, 4 bytes with an operand-size prefix"
	cmp word [REAL_BASE + seen_di - real_start], 8
	check e, "real mode: rep stosw to MMIO moves DI"
	cmp word [REAL_BASE + seen_version - real_start], 2
	check ae, "real mode: VMCALL answers"
	ret

print:	mov edx, COM1
.next:	lodsb
	test al, al
	jz .done
	out dx, al
	jmp .next
.done:	ret

section .rodata
ok:	db "ok - ", 0
fail:	db "FAIL - found otherwise, expected: ", 0

align 4
real_start:
bits 16
; Entered in protected mode with 16-bit segments, so that the caches hold 64 KiB limits.
real_entry:
	mov ax, DATA16
	mov ds, ax
	mov es, ax
	mov ss, ax
	sidt [old_idt - real_start]
	lidt [real_idt - real_start]
	mov eax, cr0
	and eax, ~CR0_PE
	mov cr0, eax
	jmp REAL_SEGMENT:(.real - real_start)
.real:	mov ax, cs
	mov ds, ax
	mov ss, ax
	mov sp, 0x7000			; 0xf000, above the code
	xor ax, ax
	mov es, ax
	mov word [es:VECTOR * 4], handler - real_start
	mov [es:VECTOR * 4 + 2], cs
	int VECTOR
	mov ax, HOLE >> 4
	mov es, ax
	xor di, di
	mov al, [es:di]
	mov [seen_mmio8 - real_start], al
	mov eax, [es:di]
	mov [seen_mmio32 - real_start], eax
	mov cx, 4
	cld
	rep stosw
	mov [seen_di - real_start], di
	mov si, text - real_start
	mov cx, text_end - text
	mov dx, COM1
	rep outsb
	mov eax, VMCALL_VERSION
	vmcall
	mov [seen_version - real_start], bx
	lgdt [real_gdt_pointer - real_start]
	mov eax, cr0
	or eax, CR0_PE
	mov cr0, eax
	jmp dword CODE32:back

handler:
	mov word [cs:seen_interrupt - real_start], 0x1234
	iret

text:	db "Hello from real mode, by rep outsb.", 10
text_end:
real_idt:	dw 0x3ff
		dd 0
old_idt:	dw 0
		dd 0
real_gdt_pointer:
		dw gdt_end - gdt - 1
		dd gdt
seen_interrupt:	dw 0
seen_mmio8:	db 0
seen_mmio32:	dd 0
seen_di:	dw 0
seen_version:	dw 0
real_end:

section .data
align 8
gdt:	dq 0
	dq 0x00cf9b000000ffff		; 0x08 code, 32-bit
	dq 0x00cf93000000ffff		; 0x10 data
	dq 0x00009b000000ffff | REAL_BASE << 16 ; 0x18 code, 16-bit, base REAL_BASE
	dq 0x000093000000ffff | REAL_BASE << 16 ; 0x20 data, the same
gdt_end:
gdt_pointer:
	dw gdt_end - gdt - 1
	dd gdt
failures: dd 0

section .bss
alignb 4096
page_directory: resb 4096
saved_esp: resd 1
alignb 16
	resb 1024
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
