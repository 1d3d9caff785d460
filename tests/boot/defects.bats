#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# What the hypervisor does when it is itself at fault, or its CPU refuses it: instructions of the
# built image are overwritten, so that the paths no guest can reach are taken for real.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	broken=$BATS_TEST_TMPDIR/broken.elf
	cp "$BUILD/leafcutter.elf" "$broken"
}

# at FUNCTION HEX: of the broken image.
at() {
	replace_code "$broken" "$1" "$2"
}

# boots_broken STATUS
boots_broken() {
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$broken" "" "$G/hello.elf" "vm hello mem=32M --"
	run --separate-stderr -"$1" tools/boot --engine "$ENGINE" "$BATS_TEST_TMPDIR/test.iso"
	has "hv: end: status $1"
}

@test "an exception in the hypervisor prints registers and stack and ends the machine" {
	at exit_io 0f0b # ud2
	boots_broken 3
	has 'hv: exception #UD \(vector 6\) error 0x0 in the hypervisor' \
		'hv:   rip [0-9a-f]{16} rflags [0-9a-f]{16} rsp [0-9a-f]{16} cr2 [0-9a-f]{16}' \
		'tools/boot: hv: rip 0x[0-9a-f]{16} is in exit_io, hv/exits/io.c:[0-9]+' \
		'hv:   rax [0-9a-f]{16} .*' 'hv:   \[[0-9a-f]{16}\]( [0-9a-f]{16}){4}'
}

# Here INT 2 in the place of cpus_stop(): another CPU may have sent its NMI a moment before.
@test "an NMI while an exception is told does no harm to what is told" {
	at exit_io 0f0b # ud2
	at cpus_stop cd02c3
	boots_broken 3
	has 'hv: exception #UD \(vector 6\) error 0x0 in the hypervisor' \
		'tools/boot: hv: rip 0x[0-9a-f]{16} is in exit_io, hv/exits/io.c:[0-9]+'
}

@test "a stack that runs over meets its guard page, not memory" {
	at exit_io 50ebfd # 1: push rax; jmp 1b
	boots_broken 3
	has 'hv: exception #PF \(vector 14\) error 0x2 in the hypervisor'
}

@test "W^X: the hypervisor's code cannot be written" {
	at exit_io c6042500001000f4 # mov byte [0x100000], 0xf4
	boots_broken 3
	has 'hv: exception #PF \(vector 14\) error 0x3 in the hypervisor'
}

@test "W^X: memory that is no code cannot be executed" {
	at exit_io ffe7 # jmp rdi: the vCPU
	boots_broken 3
	has 'hv: exception #PF \(vector 14\) error 0x11 in the hypervisor'
}

@test "page 0 is not mapped in the hypervisor" {
	at exit_io 31c08b00 # xor eax, eax; mov eax, [rax]
	boots_broken 3
	has 'hv: exception #PF \(vector 14\) error 0x0 in the hypervisor'
}

# What a real machine check brings is not to be had here: a guest's #AC is taken for one, and where
# IA32_MCG_STATUS is read stands what is said to be in its low byte.
machine_check() {
	local address bytes
	while read -r address bytes; do
		overwrite_code "$broken" "$address" "${bytes%12}11"
	done < <(instructions "$broken" exit_exception 'cmp +\$0x12,')
	read -r address bytes < <(instructions "$broken" exit_exception rdmsr)
	overwrite_code "$broken" "$address" "b0$2" # mov al, imm8
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$broken" "" "$G/faults.elf" "vm bad mem=32M -- debug" \
		"$G/hello.elf" "vm good mem=32M --"
	run --separate-stderr -"$1" tools/boot --engine "$ENGINE" "$BATS_TEST_TMPDIR/test.iso"
	has "hv: end: status $1"
}

@test "a machine check from which the CPU can go on ends the VM in which it struck, and no other" {
	machine_check 1 01
	has 'hv: vm bad: killed: machine check, IA32_MCG_STATUS 0x[0-9a-f]*1' 'hv: vm good: exited with status 0'
}

@test "a machine check from which it cannot ends all, with a line" {
	machine_check 3 04
	has 'hv: panic: machine check, IA32_MCG_STATUS 0x[0-9a-f]*4'
}

@test "a machine check in the hypervisor ends all, with its registers" {
	at exit_io cd12 # int 18
	boots_broken 3
	has 'hv: exception #MC \(vector 18\) error 0x0 in the hypervisor'
}

@test "after VMXON each CPU drops the translations of all contexts, by INVEPT and INVVPID" {
	# In the place of both the byte of the register with the type goes to port 0xe9: mov al, reg8; out 0xe9, al;
	# or al, 1, with which they have not failed.
	local address bytes reg found=0
	while read -r address bytes; do
		reg=$((16#${bytes:8:2} >> 3 & 7)) # ModRM.reg
		overwrite_code "$broken" "$address" "$(printf '88%02xe6e90c01' $((0xc0 | reg << 3)))"
		found=$((found + 1))
	done < <(instructions "$broken" enter_vmx_operation 'inv(ept|vpid)')
	[ "$found" -eq 2 ]
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$broken" "" .gitignore "vm none mem=16M --"
	run --separate-stderr -1 tools/boot --engine "$ENGINE" --cpus 2 --trace "$BATS_TEST_TMPDIR/types" \
		"$BATS_TEST_TMPDIR/test.iso"
	[ "$(od -An -v -tx1 "$BATS_TEST_TMPDIR/types")" = " 02 02 02 02" ]
}

@test "VMX locked off by the firmware is one line, status 3" {
	# IA32_VMX_CR0_FIXED0 is read in its place: bit 0 set (there: locked), bit 2 clear (VMX off).
	# Not behind 0x41, which makes it another register's.
	local offset
	offset=$(LC_ALL=C grep -obUaP '(?<!\x41)\xb9\x3a\x00\x00\x00' "$broken" | cut -d: -f1)
	overwrite "$broken" "$offset" b986040000
	boots_broken 3
	has 'hv: cpu: VMX is locked off by the firmware \(IA32_FEATURE_CONTROL = 0x[0-9a-f]+\), expected on: see docs/real-hardware.md'
}

@test "a VM entry that fails names the broken rule, dumps the guest and ends only that VM" {
	at setup_segment c3 # no segment register gets its limit and rights
	boots_broken 1
	has 'hv: vm hello: killed: VM entry failed: .*' 'hv:   SDM 3C 27\.3\.1\.2: .*' \
		'hv:   rip [0-9a-f]{16} .*'
}

# address FUNCTION
address() {
	echo $((16#$(nm "$broken" | sed -n "s/ [tT] $1\$//p")))
}

# jump FROM TO: the instruction that does.
jump() {
	printf 'e9%08x' $((($(address "$2") - $(address "$1") - 5) & 0xffffffff)) |
		sed -E 's/(..)(..)(..)(..)$/\4\3\2\1/'
}

@test "an exit without a handler prints reason, qualification and guest state, and ends only its VM" {
	# WRMSR's handler jumps to the one of unknown reasons; hello32 writes no MSR.
	at exit_wrmsr "$(jump exit_wrmsr unknown_exit)"
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$broken" "" "$G/hello.elf" "vm bad mem=32M --" \
		"$G/hello32.elf" "vm good mem=32M --"
	run --separate-stderr -1 tools/boot --engine "$ENGINE" "$BATS_TEST_TMPDIR/test.iso"
	has 'hv: vm bad: killed: exit reason 32 has no handler' \
		'hv:   exit reason 0x20 qualification 0x[0-9a-f]+ linear .*' \
		'hv:   rip [0-9a-f]{16} rflags [0-9a-f]{16} rsp [0-9a-f]{16}' \
		'hv:   cr0 [0-9a-f]{16} .*' 'hv:   cs   0008 base 0{16} limit .*' \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

@test "a panic tells where it was called, by file and line" {
	at exit_io "$(jump exit_io vmx_instruction_failed)"
	boots_broken 3
	has 'hv: panic: .*' 'tools/boot: hv: rip 0x[0-9a-f]{16} is in vmx_instruction_failed, hv/vmx/vmx.c:[0-9]+'
}

@test "a VM whose CPU cannot be made gives back what it took" {
	# Each of the three takes most of the machine's memory; none finds the other's part of it gone.
	at vmcs_alloc 31c0c3 # xor eax, eax; ret
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$broken" "" "$G/hello32.elf" "vm a mem=160M iommu=on dev=edu --" \
		"$G/hello32.elf" "vm b mem=160M --" "$G/hello32.elf" "vm c mem=160M --"
	run --separate-stderr -1 tools/boot --engine "$ENGINE" "$BATS_TEST_TMPDIR/test.iso"
	for vm in a b c; do
		has "hv: vm $vm: mem=160M: only [0-9]+ MiB of the machine's memory are left; .*"
	done
}

@test "a checked build finds the right vCPU current and every lock in its order" {
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$BUILD/leafcutter-checked.elf" "" \
		"$G/noncoherent.elf" "vm demo $(words noncoherent) --" "$G/apic.elf" "vm apic $(words apic) --" \
		"$G/iommu.elf" "vm iommu $(words iommu) --" "$G/mmio.elf" "vm mmio $(words mmio) --"
	run --separate-stderr -0 tools/boot --engine "$ENGINE" "$BATS_TEST_TMPDIR/test.iso"
	has 'hv: end: status 0'
}
