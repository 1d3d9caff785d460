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

@test "iommu-lab: a stale translation is used until it is invalidated, and named once" {
	local line='hv: vm t: iommu: stale IOTLB entry used: device 00:02.0 iova 0x200000: cached'
	image iommu-lab
	[ "$(grep -c 'hv: vm t: iommu: stale' <<<"$output")" -eq 1 ]
	has "$line 0x[0-9a-f]+ rw, in memory fault 0x5: changed in memory, not invalidated since"
	[ "$(sed -n 's/^t| uses of stale entries counted: //p' <<<"$output")" = "1
2
2" ]
}

@test "iommu-lab: without strict nothing is compared, named or counted" {
	image iommu-lab "" "$(words iommu-lab) iommu=on"
	lacks 'stale IOTLB'
	lacks 'counted: [^0]'
}

@test "iommu: the unit as it is by default" {
	image iommu
	[ "$(grep -c 'the zap is over by then' <<<"$output")" -eq 6 ]
	# A fault has a line, and of many every power of two.
	has 'hv: vm t: iommu: fault 1: write of 0x200000 by device 00:02.0, reason 0xc' \
		'hv: vm t: iommu: fault 32: interrupt entry 0x5 by device 00:02.0, reason 0x26'
	[ "$(sed -nE 's/^hv: vm t: iommu: fault ([0-9]+):.*/\1/p' <<<"$output" | xargs)" = "1 2 4 8 16 32" ]
}

@test "iommu: with transition=retype a completion means that leaves have their other type" {
	image iommu "" "$(words iommu) transition=retype"
	[ "$(grep -c 'the retype is over by then' <<<"$output")" -eq 6 ]
}

@test "iommu: without caching mode" { image iommu "" "$(words iommu) iommu=on,cm=off"; }

@test "iommu: with snoop control" { image iommu "" "$(words iommu) iommu=on,sc"; }

@test "iommu: with snoop control and without caching mode" {
	image iommu "" "$(words iommu) iommu=on,sc,cm=off"
}

# What was named as stale, with the names that the image gives its addresses, and how much counted.
stale_uses() {
	local names
	names=$(sed -nE 's/^t\| (page.|table) is at 0x(.+)000$/s,0x\2(...),\1+\\1,/p' <<<"$output")
	sed -nE 's/^t\| the hypervisor (counted [0-9]+ uses) of stale entries$/\1/p
		s/^hv: vm t: iommu: stale (.*): changed in memory, not invalidated since$/\1/p' \
		<<<"$output" | sed -E "$names"
}

# Page 0 and 1 of stale.c three times each, page 1 a fourth time; then a permission, a cleared
# context entry twice, and an interrupt entry.
@test "iommu: with strict, exactly the stale uses that the image makes on purpose are named" {
	local words
	for words in "" ,cm=off ,sc ,sc,cm=off; do
		image iommu "" "$(words iommu) iommu=on$words,strict"
		diff - <(stale_uses) <<-END
			IOTLB entry used: device 00:02.0 iova 0x800000: cached page0+000 rw, in memory page2+000 rw
			IOTLB entry used: device 00:02.0 iova 0x801000: cached page1+000 rw, in memory page3+000 rw
			IOTLB entry used: device 00:02.0 iova 0x800000: cached fault 0x5, in memory page0+000 rw
			context entry used: device 00:02.0 iova 0x800000: cached entry 0x901:table+001, in memory entry 0x0:0x0, fault 0x2
			interrupt entry used: device 00:02.0 index 0x5: cached entry 0x0:0x420001, in memory entry 0x0:0x440001
			counted 11 uses
		END
	done
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
			if (result == "FAIL") sub(/^found .*, expected[^:]*: /, "")
			if (/^\.\.\. /) $0 = main " " $0; else main = $0
			print result " " $0
		}'
}

# qemu IMAGE "UNIT'S PROPERTIES" [APPEND]: the console of the image under QEMU, without KVM.
qemu() {
	# Status 1 is isa-debug-exit's word for 0.
	timeout --foreground 800 qemu-system-x86_64 -M q35,kernel-irqchip=split -smp "${QEMU_CPUS:-1}" -display none -no-reboot \
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
		done <guest/iommu/qemu_differs
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
	QEMU_CPUS=4 run qemu thirdparty caching-mode=off
	lacks 'BAD'
	has $'done\r'
}

@test "docs/iommu.md: each row of its tables of states and order names a test that runs" {
	local name names
	names=$(sed -n '/^## The state table/,/^One attach,/p' docs/iommu.md |
		sed -nE 's/^\| .*[^-]\| `?([^`|]+)`? \|$/\1/p' | grep -vx 'test')
	[ "$(wc -l <<<"$names")" -ge 36 ]
	for name in $names; do
		grep -qE "^TEST\\($name\\)" tests/unit/test_iommu_*.c || { echo "$name"; return 1; }
	done
}
