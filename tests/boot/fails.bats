#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# What a check says when it fails: first what was found, then what was expected, in words. The images
# are made to fail by giving them something else than what they are told, or another machine.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# Every FAIL line has the form, and there are at least this many.
in_words() {
	[ "$(grep -c 'FAIL' <<<"$output")" -ge "$1" ] || { show; return 1; }
	! grep 'FAIL' <<<"$output" | tr -d '\r' |
		grep -vE 'FAIL [0-9]+ - found (otherwise, expected|.+, expected [^:]+): .'
}

@test "FAIL: a leaf of another type, in size and type; leaves that a zap should have cleared" {
	boots 1 "" "$G/noncoherent.elf" "vm t $(words noncoherent) memtype=kvm-6.6 --"
	has 't\| With memtype=kvm-6.6 this image fails by design: .*' \
		't\| FAIL 24 - found a 2M leaf, WB \+ ignore PAT at 0x2240000, 64 of 64 pages not as expected, expected WC: 0x2240000-0x227ffff MTRR WC: leaves WC' \
		't\| FAIL 16 - found a 2M leaf, WB \+ ignore PAT at 0x1000000, .*, expected no leaf: .*' \
		't\| FAIL 19 - found 0 leaves cleared since, .*: its zap cleared leaves' \
		't\| FAIL 54 - found a 4K leaf, WC at .*, expected WB \+ ignore PAT: .*'
	in_words 18
}

@test "FAIL: effective memory types, under another policy than the guest is told" {
	boots 1 "" "$G/memtypes.elf" "vm t $(words memtypes) memtype=kvm-6.11 -- policy=kvm-6.7"
	has 't\| With memtype=kvm-6.11 this image fails by design: policy= makes it expect .*' \
		't\| FAIL [0-9]+ - found WB, effective UC  UC  WC  WT  WP  WB , expected WC, effective UC  WC  WC  UC  UC  WC : 1 0   WC .*' \
		't\| FAIL [0-9]+ - found WB, effective .*, expected UC \+ ignore PAT, effective .*'
	in_words 9
	boots 1 "" "$G/memtypes.elf" "vm t $(words memtypes) memtype=kvm-6.6 -- policy=kvm-6.7"
	has 't\| FAIL [0-9]+ - found a 2M leaf, WB \+ ignore PAT, expected no leaf: kvm-6.7: the first page.s leaf was cleared'
}

@test "FAIL: how large a leaf is, how many were cleared" {
	boots 1 "" "$G/leaves.elf" "vm t $(words leaves) memtype=kvm-6.11 --"
	has 't\| With memtype=kvm-6.11 this image fails by design: .*' \
		't\| FAIL [0-9]+ - found a 2M leaf, WB, expected a 4K leaf, WC: 0x2805000: .*' \
		't\| FAIL [0-9]+ - found 0 leaves cleared, 0 INVEPTs, expected 512 by one zap, 1 INVEPT: .*' \
		't\| FAIL [0-9]+ - found 2 INVEPTs, expected 3: .*'
	in_words 15
}

@test "FAIL: memory, modules and devices, counted" {
	boots 1 "" "$G/contract.elf" "vm t mem=32M dev=edu -- mem=64 edu=2 module=5 policy=0x402"
	has 't\| With policy=0x402 this image fails by design: .*' \
		't\| FAIL [0-9]+ - found 1, expected 0x402: ... and is what policy= says' \
		't\| FAIL [0-9]+ - found 31744 KiB, expected 64512: KiB from 1 MiB' \
		't\| FAIL [0-9]+ - found 0 modules, expected 1: as many modules as an initrd line' \
		't\| FAIL [0-9]+ - found otherwise, expected: edu 1 is on PCI'
	in_words 6
}

# emulated IMAGE [APPEND]: its console under QEMU's own CPU, which is laxer than a real one.
emulated() {
	run bash -c "timeout 300 qemu-system-x86_64 -M q35,kernel-irqchip=split -display none \
		-no-reboot -device intel-iommu,intremap=on -device edu -device edu -serial stdio \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel $G/$1.elf -append '${2:-}' \
		</dev/null 2>/dev/null | tr -d '\r'"
}

@test "FAIL: an exception that did not come, a register's bits" {
	command -v qemu-system-x86_64 || skip "no QEMU"
	emulated faults msrs
	has 'FAIL [0-9]+ - found no exception, expected #GP: 0x277 \(PAT, type 2\): #GP'
	in_words 3
	emulated iommu
	has 'FAIL [0-9]+ - found [0-9a-fx]+, expected 0x8000: IQA, before the queue is on'
	in_words 3
}

@test "FAIL: no image has a form of its own" {
	local image
	for image in "$G"/*.elf; do
		strings -n 4 "$image" | grep -E '^(FAIL|BAD)' >>"$BATS_TEST_TMPDIR/forms" || true
	done
	[ "$(wc -l <"$BATS_TEST_TMPDIR/forms")" -ge 12 ]
	# One says in a line of its own what a stale leaf did, behind the check that failed by it.
	run -1 grep -vE -e '^(FAIL|BAD).*found (%s, expected%s%s|otherwise, expected): $' \
		-e '^FAIL: the %s read %u old bytes of 0x%lx: its leaf is %s %s$' \
		"$BATS_TEST_TMPDIR/forms"
}
