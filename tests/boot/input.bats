#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Bad input: one line that names the VM (or the module's number) and the word, and what was
# expected; the other VMs still run; no hang, no reboot loop.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	T=$BATS_TEST_TMPDIR
}

@test "wrong words on a VM's line: one line each names the word, the other VMs run" {
	boots 1 "" "$G/hello.elf" "vm a mem=32M colour=red -- x" \
		"$G/hello.elf" "vm b mem=0x20M --" \
		"$G/hello.elf" "vm c mem=99999999999999999999G --" \
		"$G/hello.elf" "vm d cpus=0 --" \
		"$G/hello.elf" "vm e iommu=maybe --" \
		"$G/hello.elf" "vm f dev=gpu --" \
		"$G/hello.elf" "vm g memtype=kvm-9.9 --" \
		"$G/hello.elf" "vm hv mem=32M --" \
		"$G/hello.elf" "vm Upper mem=32M --" \
		"$G/hello.elf" "vm sixteen-letters- mem=32M --" \
		"$G/hello.elf" "wm x mem=32M --" \
		"$G/hello.elf" "vm good mem=32M -- still here" \
		"$G/hello.elf" "vm good mem=32M -- twice" \
		"$G/hello.elf" "vm y mem=32M dev=edu dev=edu dev=edu dev=edu dev=edu dev=edu dev=edu dev=edu dev=edu --"
	has "hv: vm a: 'colour=red' is not understood, expected .*" \
		"hv: vm b: 'mem=0x20M' .* expected mem=.*" \
		"hv: vm c: 'mem=9+G' .* expected mem=.*" \
		"hv: vm d: 'cpus=0' .* expected cpus=.*" \
		"hv: vm e: 'iommu=maybe' .* expected iommu=off or iommu=on.*" \
		"hv: vm f: 'dev=gpu' .* expected dev=edu\[,snoop\] or dev=testdev: see docs/contract.md" \
		"hv: vm g: 'memtype=kvm-9.9' .* expected memtype=kvm-6.6.*" \
		"hv: module 8: 'hv' .* expected a NAME.*" \
		"hv: module 9: 'Upper' .* expected a NAME.*" \
		"hv: module 10: 'sixteen-letters-' .* expected a NAME.*" \
		"hv: module 11: 'wm' .* expected 'vm NAME.*" \
		'good\| My command line is "good still here".' \
		"hv: module 13: 'good' .* expected .*" \
		"hv: vm y: 'dev=edu' .* expected at most 8.*" \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

@test "an image that is no ELF, is empty, is truncated, or has no multiboot header" {
	head -c 20000 /dev/urandom >"$T/noise"
	head -c 1000 "$G/hello.elf" >"$T/short"
	printf x >"$T/tiny"
	: >"$T/empty"
	boots 1 "" "$T/noise" "vm noise mem=32M --" "$T/short" "vm short mem=32M --" \
		"$T/empty" "vm empty mem=32M --" "$T/tiny" "vm tiny mem=32M --" "$BUILD/leafcutter.elf" "vm self mem=32M --" \
		"$G/hello.elf" "vm good mem=32M --"
	has 'hv: vm noise: image of 20000 bytes: .*' 'hv: vm short: image of 1000 bytes: .*' \
		'hv: vm empty: image of 0 bytes: .*' 'hv: vm tiny: image of 1 bytes: .*' \
		'hv: vm self: image of [0-9]+ bytes: .*' \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

# patch FILE OFFSET HEX: overwrite little-endian bytes.
patch() {
	# shellcheck disable=SC2059 # the bytes are the format
	printf "$(sed 's/../\\x&/g' <<<"$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "an image whose segments lie ends as one line" {
	local phoff=52 name
	for name in offset filesz where huge; do cp "$G/hello.elf" "$T/$name"; done
	patch "$T/offset" $((phoff + 4)) f0ffffff
	patch "$T/filesz" $((phoff + 16)) ffffff00
	patch "$T/where" $((phoff + 12)) 00000cf0
	patch "$T/huge" $((phoff + 20)) 0000f0ff
	boots 1 "" "$T/offset" "vm offset mem=32M --" "$T/filesz" "vm filesz mem=32M --" \
		"$T/where" "vm where mem=32M --" "$T/huge" "vm huge mem=32M --" \
		"$G/hello.elf" "vm good mem=32M --"
	for name in offset filesz where huge; do has "hv: vm $name: image of [0-9]+ bytes: .*"; done
	has 'hv: vm good: exited with status 0'
}

@test "a machine with too little RAM for a VM: one line, the other VM runs" {
	BOOT_OPTIONS="--mem 64"
	boots 1 "" "$G/hello.elf" "vm big mem=256M --" "$G/hello.elf" "vm good mem=16M --"
	has 'hv: vm big: mem=256M: only [0-9]+ MiB .* expected a smaller mem= or a larger machine' \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

@test "an image that wants more memory than mem= gives" {
	cp "$G/hello.elf" "$T/wants"
	# The last segment's size in memory: 16 MiB.
	patch "$T/wants" $((52 + 2 * 32 + 20)) 00000001
	boots 1 "" "$T/wants" "vm low mem=8M --" "$T/wants" "vm good mem=32M --"
	has 'hv: vm low: image of [0-9]+ bytes: .* expected a larger mem= .*' \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

@test "an initrd that is larger than mem= leaves room for" {
	truncate -s 9M "$T/module"
	boots 1 "" "$G/hello.elf" "vm low mem=8M --" "$T/module" initrd \
		"$G/contract.elf" "vm good mem=32M -- mem=32 module=9437184 sum=0" "$T/module" initrd
	has 'hv: vm low: image of [0-9]+ bytes: the initrd does not fit .* expected a larger mem=.*' \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

@test "an image that lies where a loader usually leaves its information" {
	nasm -f elf32 -o "$T/hello.o" guest/hello32/entry.asm
	ld -m elf_i386 -n -Ttext=0x9000 -e guest_entry -o "$T/low" "$T/hello.o"
	boots 0 "" "$T/low" "vm low mem=8M -- one two"
	has 'low\| Hello from 32-bit protected mode. My command line is low one two' \
		'hv: vm low: exited with status 0'
}

@test "an unknown word on the hypervisor's line: one line, status 3" {
	boots 3 "colour=red" "$G/hello.elf" "vm good mem=32M --"
	has "hv: options: unknown word 'colour=red', expected .*" 'hv: end: status 3'
}

@test "no guest at all, and an initrd that belongs to none" {
	boots 1 ""
	has 'hv: no module: .*' 'hv: end: status 1'
	boots 1 "" "$G/hello.elf" "initrd" "$G/hello.elf" "vm good mem=32M --"
	has "hv: module 1: 'initrd' belongs to the vm before it.*" 'hv: vm good: exited with status 0'
}

@test "console=e9 writes the console to port 0xe9 as well" {
	BOOT_OPTIONS="--trace $T/trace"
	boots 0 "console=e9" "$G/hello.elf" "vm good mem=32M --"
	grep -q 'good| Hello' "$T/trace"
	has 'good\| Hello.*'
}

@test "the memory of a VM that could not be started is free for the next one" {
	printf x >"$T/tiny"
	boots 1 "" "$T/tiny" "vm a mem=160M --" "$T/tiny" "vm b mem=160M --" \
		"$G/hello.elf" "vm good mem=160M --"
	has 'hv: vm a: image of 1 bytes: .*' 'hv: vm b: image of 1 bytes: .*' \
		'hv: vm good: exited with status 0' 'hv: end: status 1'
}

@test "the seventeenth VM is one too many, and the sixteen run" {
	local lines=()
	for n in {1..17}; do
		lines+=("$G/hello.elf" "vm g$n mem=2M --")
	done
	boots 1 "" "${lines[@]}"
	has 'hv: vm g17: one too many, expected at most 16 VMs' \
		'hv: vm g16: exited with status 0' 'hv: end: status 1'
}
