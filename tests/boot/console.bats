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

# neighbour STORM ["WORDS" ["WITNESS" [FILE "initrd"]]]: a witness beside that storm, two VMs on one CPU.
neighbour() {
	boots 0 "" "$G/neighbour.elf" "vm witness mem=32M -- ${3:-}" \
		"$G/neighbour.elf" "vm storm $(words neighbour) ${2:-} -- $1" "${@:4}"
	lacks 'FAIL|a defect of'
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
	neighbour first "mem=80M iommu=on,cm=off coherence=model"
	neighbour uncached "mem=80M transition=retype coherence=model"
	neighbour steps "mem=80M transition=retype coherence=model" ticks=150000000
}

@test "... resets, each of which zeroes 64 MiB" {
	long
	neighbour "reset until=200000000 ticks=1" "mem=64M reset=restart"
	[ "$(grep -c 'hv: vm storm: reset: it starts again' <<<"$output")" -ge 2 ]
}

# Its copy alone would take 5 M ticks.
@test "... resets of a VM with an initrd of 40 MiB" {
	long
	truncate -s 40M "$BATS_TEST_TMPDIR/initrd"
	BOOT_OPTIONS="--mem 512 --timeout 300" neighbour "reset until=800000000 ticks=1" "mem=80M reset=restart" "" \
		"$BATS_TEST_TMPDIR/initrd" initrd
	[ "$(grep -c 'hv: vm storm: reset: it starts again' <<<"$output")" -ge 2 ]
}

@test "... faults that fill a table each, with two copies of each page, or in a VM of more than 1 GiB" {
	long
	BOOT_OPTIONS="--mem 512" neighbour "sparse ticks=30000000" "mem=64M fill=table coherence=model"
	BOOT_OPTIONS="--mem 2048" neighbour "sparse ticks=30000000" "mem=1400M fill=table"
}

@test "... string instructions without an end, between devices, on nothing, with a page fault at each page" {
	local storm
	long
	for storm in movs hole faults nowhere; do neighbour $storm dev=testdev; done
}

@test "... sixteen CPUs that send interrupts and NMIs to all, or have a level line that nobody serves" {
	local storm
	long
	for storm in broadcast x2apic lowest nmi level; do
		neighbour "$storm ticks=50000000" "dev=testdev cpus=16" ticks=120000000
	done
}

@test "... a queue whose tail, base, unit and memory change on its way, by one CPU and by two" {
	long
	neighbour attack
	neighbour attack cpus=2
	BOOT_OPTIONS="--cpus 2" neighbour attack cpus=2
	BOOT_OPTIONS="--cpus 3" neighbour attack cpus=2
	keeps_its_cpu
}

# The witness, alone on its CPU, keeps nine tenths of it, and is asked for no write-back of what it never had.
keeps_its_cpu() {
	has 'witness\| longest wait .*, 5[4-9][0-9]{6} of 60000000 were mine' 'hv: vm witness: .*, [0-9] exception or NMI,.*'
}

@test "a queue of transitions on another CPU takes nothing from who is alone on this one" {
	BOOT_OPTIONS="--cpus 2" neighbour queue
	keeps_its_cpu
}

@test "a VM that ends in the middle of its queue or of a WBINVD gives back all it had" {
	long
	neighbour "queue-end restart until=300000000" reset=restart
	[ "$(grep -c 'hv: vm storm: reset: it starts again' <<<"$output")" -ge 20 ]
	BOOT_OPTIONS="--mem 512" neighbour "write-back restart until=400000000" "mem=64M reset=restart coherence=model cpus=2"
	[ "$(grep -c 'hv: vm storm: reset: it starts again' <<<"$output")" -ge 3 ]
	boots 1 "" "$G/neighbour.elf" "vm a $(words neighbour) -- queue-end triple" \
		"$G/neighbour.elf" "vm b $(words neighbour) mem=64M coherence=model cpus=2 -- write-back triple" \
		"$G/neighbour.elf" "vm c $(words neighbour) -- queue-end"
	has 'hv: vm a: killed: triple fault' 'hv: vm b: killed: triple fault' 'hv: vm c: exited with status 0'
	lacks 'FAIL|a defect of'
}

@test "... a queue of 32,766 descriptors (its head is seen to move), DMA and MMIO storms" {
	neighbour queue
	neighbour dma
	neighbour mmio
}
