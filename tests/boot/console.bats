#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2016
# The console: what a guest sends is shown, and cannot be taken for the hypervisor's; an unfinished
# line is not kept back for ever; every end tells where.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

@test "what would steer the operator's terminal is shown as \\xNN, text in UTF-8 as it is" {
	boots 0 "" "$G/terminal.elf" "vm t mem=32M --"
	has 't\| clear \\x1b\[2J\\x1b\[1;1Hhv: vm other: exited with status 0' \
		$'t\\| bell \\\\x07, null \\\\x00, delete \\\\x7f, tab \t, return \\.' \
		't\| grüß, →, 🐜; broken \\xc3, \\xff, C1 \\xc2\\x9b2J' \
		't\| to the left \\xe2\\x80\\xae0 sutats, isolated \\xe2\\x81\\xa7, a line \\xe2\\x80\\xa8hv: vm'
	lacks $'\x1b'
}

@test "a long line is cut into pieces, but not within a character" {
	boots 0 "" "$G/terminal.elf" "vm t mem=32M --"
	has 't\| x{239}' 't\| énd'
}

@test "an unfinished line is shown after a second without output, and at the end" {
	boots 0 "" "$G/terminal.elf" "vm t mem=32M --"
	has 't\| password: ' 't\| after a second' 't\| cut short'
	[ "$(grep -n '^t| cut short' <<<"$output" | cut -d: -f1)" -lt \
		"$(grep -n '^hv: vm t: exited' <<<"$output" | cut -d: -f1)" ]
}

# The end of a VM that is killed: where its vCPU was, and what it last accessed in vain.
place='hv:   vcpu 0: rip 0x[0-9a-f]+, cr3 0x[0-9a-f]+, (16|32|64)-bit code( without paging)?(, halted( with interrupts off)?)?'

@test "a kill tells vCPU, RIP, CR3, mode and the last access that found nothing" {
	boots 1 "" "$G/faults.elf" "vm a mem=32M -- triple" "$G/faults.elf" "vm b mem=32M -- halt" \
		"$G/faults.elf" "vm c mem=32M -- wild"
	has 'hv: vm a: killed: triple fault' 'hv: vm b: killed: halted with interrupts off' \
		'hv: vm c: killed: .*' 'hv:   last access that found nothing: write of 8 bytes at 0xc8000008'
	[ "$(grep -cxE "$place" <<<"$output")" -eq 3 ]
}

@test "a leaf that allows an access which faults again and again is a defect of ours, and named" {
	local copy=$BATS_TEST_TMPDIR/tree
	mkdir "$copy"
	git ls-files -z | xargs -0 cp --parents -t "$copy"
	sed -i 's/#define EPT_RWX .*/#define EPT_RWX (EPT_READ | EPT_WRITE)/' "$copy/ept/ept.h"
	(cd "$copy" && make BUILD=build build/leafcutter.elf) >"$BATS_TEST_TMPDIR/log" 2>&1 ||
		{ cat "$BATS_TEST_TMPDIR/log"; return 1; }
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$copy/build/leafcutter.elf" "" "$G/hello.elf" "vm t mem=32M --"
	run --separate-stderr -1 tools/boot --engine "$ENGINE" --timeout 60 "$BATS_TEST_TMPDIR/test.iso"
	has 'hv: vm t: killed: a defect of the hypervisor: 1000 EPT violations at 0x[0-9a-f]+ although its leaf is there .*' \
		"$place" 'hv: end: status 1'
}

# neighbour STORM ["WORDS"]: a witness beside that storm, two VMs on one CPU.
neighbour() {
	boots 0 "" "$G/neighbour.elf" "vm witness mem=32M --" \
		"$G/neighbour.elf" "vm storm $(words neighbour) ${2:-} -- $1"
	lacks FAIL
	has 'witness\| ok 1 - .*' 'witness\| ok 2 - .*'
}

@test "no neighbour waits longer than 4 M ticks, nor gets less than a third: port and console storms" {
	neighbour outsb
	neighbour lines
}

@test "... MTRR, CR0.CD and WBINVD storms" {
	neighbour mtrr
	neighbour cd
	neighbour wbinvd
}

@test "... a VM whose sixteen vCPUs all spin, No Snoop on and off by a port" {
	neighbour spin cpus=16
	neighbour snoop
}

# 70 MiB of dirty pages take 15 M ticks in all.
@test "... WBINVD of much dirty memory, with coherence=model" {
	neighbour dirty "mem=80M coherence=model"
}

@test "... writes to ROM, scans of a device, INS, BARs, IPIs, a timer, a default memory type" {
	local storm
	long
	for storm in rom scan ins bars ipis timer defaults; do neighbour $storm; done
	neighbour counters cpus=16
	neighbour translate "mem=80M coherence=model"
}

@test "... resets, each of which zeroes 64 MiB" {
	long
	neighbour "reset until=200000000 ticks=1" "mem=64M reset=restart"
	[ "$(grep -c 'hv: vm storm: reset: it starts again' <<<"$output")" -ge 2 ]
}

@test "... a queue of 32,766 descriptors (its head is seen to move), DMA and MMIO storms" {
	neighbour queue
	neighbour dma
	neighbour mmio
}
