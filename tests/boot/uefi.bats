#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2034
# The ISO under UEFI (Debian's OVMF in QEMU, without KVM): GRUB's other half hands over as much as
# the BIOS's does, and the hypervisor comes as far as its check for VMX, which QEMU's own CPU lacks.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	# shellcheck source=tools/engines/qemu.sh
	source tools/engines/qemu.sh
	firmware=/usr/share/OVMF/OVMF_CODE_4M.fd variables=/usr/share/OVMF/OVMF_VARS_4M.fd
	[ -r "$firmware" ] && [ -r "$variables" ] || skip "no OVMF"
}

# uefi STATUS ISO: the machine of the engine tcg, but for its firmware, ends with STATUS, which
# isa-debug-exit doubles. What GRUB and the firmware draw is cut off.
uefi() {
	local options
	mapfile -t options < <(qemu_tcg_cpu; qemu_machine 256 1 "$2" "")
	run --separate-stderr -$(($1 * 2 + 1)) timeout 300 qemu-system-x86_64 "${options[@]}" \
		-drive "if=pflash,unit=0,format=raw,readonly=on,file=$firmware" \
		-drive "if=pflash,unit=1,format=raw,snapshot=on,file=$variables" </dev/null
	output=$(tr -d '\r' <<<"$output" | grep -o 'hv: .*')
}

@test "the ISO that a BIOS boots is booted by UEFI too, to the line that names the missing VMX" {
	uefi 3 "$BUILD/leafcutter.iso"
	[ "$output" = "hv: Leafcutter, a hypervisor one can read
hv: cpu: no VMX (CPUID.1:ECX bit 5): see docs/real-hardware.md
hv: end: status 3" ]
}

@test "under UEFI GRUB passes the same words and modules" {
	local T=$BATS_TEST_TMPDIR
	nasm -f elf32 -o "$T/kernel.o" tests/boot/kernel/kernel.asm
	ld -m elf_i386 -n -N --no-warn-rwx-segments -Ttext 0x100000 -o "$T/kernel.elf" "$T/kernel.o"
	tools/iso "$T/w.iso" "$T/kernel.elf" "a=\$x {b} #c ; 1" "$T/kernel.o" 'vm one mem=64M -- <x> | & %s *' \
		"$T/kernel.o" initrd
	uefi 1 "$T/w.iso"
	[ "$output" = "hv: options: a=\$x {b} #c ; 1
hv: module: vm one mem=64M -- <x> | & %s *
hv: module: initrd
hv: end: status 1" ]
}

@test "the ISO stays below 2 MB, with GRUB for both firmwares" {
	[ "$(stat -c %s "$BUILD/leafcutter.iso")" -lt 2000000 ]
	run -0 xorriso -indev "$BUILD/leafcutter.iso" -report_el_torito plain
	[[ $output == *"BIOS  y"* && $output == *"UEFI  y"* ]]
}
