#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2030,SC2031
# The emulated VT-d unit and edu, from inside guests: our own image in each configuration, against
# QEMU's unit, and a kernel that was written for QEMU's.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

@test "iommu-lab: a stale translation is used until it is invalidated" { image iommu-lab; }

@test "iommu: the unit as it is by default" {
	image iommu
	[ "$(grep -c 'the zap is over by then' <<<"$output")" -eq 6 ]
}

@test "iommu: without caching mode" { image iommu "" "$(words iommu) iommu=on,cm=off"; }

@test "iommu: with snoop control" { image iommu "" "$(words iommu) iommu=on,sc"; }

@test "iommu: with snoop control and without caching mode" {
	image iommu "" "$(words iommu) iommu=on,sc,cm=off"
}

@test "iommu: eight devices attach, do DMA, lose and get No-Snoop, and detach, one by one" {
	image iommu "" "$(words iommu) dev=edu dev=edu dev=edu dev=edu dev=edu"
	has 't\| ok [0-9]+ - device 7: Enable No Snoop is 1 after reset' \
		't\| ok [0-9]+ - ... attached: count 7' 't\| ok [0-9]+ - device 7 detached'
}

# A transcript's checks, one a line: "..." continues the line before, numbers do not count, and
# what only Leafcutter has is cut off.
checks() {
	tr -d '\r' | sed -E 's/^t\| //' | awk '
		/^== What is reported/ { exit }
		/^(ok|FAIL) / {
			result = $1; sub(/^(ok|FAIL) [0-9]+ - /, "")
			if (/^\.\.\. /) $0 = main " " $0; else main = $0
			print result " " $0
		}'
}

# qemu IMAGE "UNIT'S PROPERTIES" [APPEND]: the console of the image under QEMU, without KVM.
qemu() {
	# Status 1 is isa-debug-exit's word for 0.
	timeout 300 qemu-system-x86_64 -M q35,kernel-irqchip=split -display none -no-reboot \
		-device "intel-iommu,$2" -device edu -device edu \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -kernel "$G/$1.elf" \
		-append "${3:-}" </dev/null 2>"$BATS_TEST_TMPDIR/stderr" || [ $? -eq 1 ]
}

# agrees "VM WORDS" "QEMU'S PROPERTIES": both transcripts, but for the listed differences.
agrees() {
	local side who text
	boots 0 "" "$G/iommu.elf" "vm t $1 --"
	checks <<<"$output" >"$BATS_TEST_TMPDIR/leafcutter"
	qemu iommu "$2" native | checks >"$BATS_TEST_TMPDIR/qemu"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/qemu")" -ge 160 ]
	for side in leafcutter qemu; do
		while IFS=$'\t' read -r who text _; do
			[ "$who" != "$side" ] || sed -i -E "\#^ok $text#d" "$BATS_TEST_TMPDIR/$side"
		done <guest/iommu/differences
	done
	diff "$BATS_TEST_TMPDIR/qemu" "$BATS_TEST_TMPDIR/leafcutter"
}

@test "iommu: QEMU's unit gives the same transcript, but for the listed differences" {
	command -v qemu-system-x86_64 || skip "no QEMU"
	agrees "$(words iommu)" intremap=on,aw-bits=48,caching-mode=on
}

@test "iommu: and so it does without caching mode" {
	command -v qemu-system-x86_64 || skip "no QEMU"
	agrees "$(words iommu) iommu=on,cm=off" intremap=on,aw-bits=48,caching-mode=off
}

# thirdparty "VM WORDS": it ran to its end and found everything as it expected.
thirdparty() {
	boots 0 "" "$G/thirdparty.elf" "vm t $1 --"
	lacks 'BAD'
	has 't\| done' 'hv: vm t: exited with status 0'
}

@test "a kernel written for qemu -kernel, with VT-d and edu, runs unmodified" {
	thirdparty "$(words thirdparty)"
	has 't\| good: the second device, added by now' 't\| good: ... mapped by now: DMA arrives' \
		'hv: vm t: noncoherent count 0 -> 1: cleared [0-9]+ leaves .*' \
		'hv: vm t: noncoherent count 1 -> 2: no transition'
}

@test "... and with caching mode, with snoop control, with one device, with no IOMMU" {
	thirdparty "$(words thirdparty) iommu=on"
	has 't\| good: the second device, added by now'
	thirdparty "$(words thirdparty) iommu=on,sc,cm=off"
	has 't\| good: the second device, added by now'
	thirdparty "mem=32M iommu=on,cm=off dev=edu"
	thirdparty "mem=32M dev=edu"
	has 't\| good: no VT-d unit: DMA to where it says'
	lacks 'noncoherent'
}

@test "... and that kernel is one that runs under QEMU" {
	command -v qemu-system-x86_64 || skip "no QEMU"
	run qemu thirdparty caching-mode=off
	lacks 'BAD'
	has $'done\r'
}

@test "docs/iommu.md: each row of its tables of states and order names a test that runs" {
	local name names
	names=$(sed -n '/^## The state table/,/^One attach,/p' docs/iommu.md |
		sed -nE 's/^\| .*[^-]\| `?([^`|]+)`? \|$/\1/p' | grep -vx 'test')
	[ "$(wc -l <<<"$names")" -ge 36 ]
	for name in $names; do
		grep -q "cmocka_unit_test($name)" tests/unit/test_iommu_*.c || { echo "$name"; return 1; }
	done
}
