#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2016
# Every guest image but the demonstration and what tests the IOMMU, as guest/defaults asks for it: each check of a guest is
# a line of its own, so here it only counts that all held and that the ends are the contract's.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

@test "hello as ELF32, as ELF64, and a guest that stays in 32-bit mode: all three are loaded" {
	boots 0 "" "$G/hello.elf" "vm a mem=32M -- one two" "$G/hello64.elf" "vm b mem=32M -- three" \
		"$G/hello32.elf" "vm c mem=32M -- four"
	has 'a\| My command line is "a one two".' 'b\| My command line is "b three".' \
		'c\| Hello from 32-bit protected mode. My command line is c four'
}

@test "quotes and backslashes of a command line arrive as they were written" {
	boots 0 "" "$G/hello.elf" "vm a mem=32M -- it's \"so\" a\\b \$x # ; |"
	has 'a\| My command line is "a it.s "so" a\\b \$x # ; \|"\.'
}

@test "an exit status other than 0 is told, and makes the run's 1" {
	boots 1 "" "$G/hello.elf" "vm t mem=32M -- status=7"
	has 'hv: vm t: exited with status 7' 'hv: end: status 1'
}

# module FILE BYTES: a file of random bytes; prints their sum.
module() {
	head -c "$2" /dev/urandom >"$1"
	od -An -v -tu1 "$1" | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { print sum }'
}

@test "contract: state at entry, MTRRs, memory, the initrd, PCI, counters; all that CPUID offers works" {
	local sum tsc=0
	# What the clock of an emulator is, it says.
	[ "$ENGINE" != bochs ] || tsc=$(sed -n 's/^bochs_ips=//p' tools/engines/bochs.sh)
	sum=$(module "$BATS_TEST_TMPDIR/module" 10001)
	boots 0 "" "$G/contract.elf" \
		"vm t mem=32M dev=edu dev=edu,snoop -- mem=32 policy=1 edu=2 module=10001 sum=$sum tsc=$tsc" \
		"$BATS_TEST_TMPDIR/module" initrd "$G/contract.elf" "vm small mem=2M memtype=kvm-6.11 transition=retype -- mem=2 policy=0x12" \
		"$G/contract.elf" "vm large mem=160M cpus=3 dev=edu iommu=on,strict -- mem=160 edu=1 policy=0x401 cpus=3"
	lacks 'FAIL'
	has 't\| ok [0-9]+ - the sum of its bytes' 'hv: vm t: exited with status 0' \
		'hv: vm small: exited with status 0' 'hv: vm large: exited with status 0'
}

@test "two VMs in one machine have two policies" {
	boots 0 "" "$G/memtypes.elf" "vm old $(words memtypes) memtype=kvm-6.6 --" \
		"$G/memtypes.elf" "vm new $(words memtypes) memtype=kvm-6.11 --"
	lacks 'FAIL'
	has 'hv: vm old: .* memory types as kvm-6.6' 'hv: vm new: .* memory types as kvm-6.11' \
		'hv: vm old: exited with status 0' 'hv: vm new: exited with status 0'
}

@test "mmio: every width, direction and form of access" { image mmio; }

@test "modes: VMCALL, MMIO and port output from 32-bit and real mode" {
	image modes
	has 't\| Hello from real mode, by rep outsb.'
}

@test "acpi: the tables tell the machine as it is, with an IOMMU and without" {
	image acpi
	has 't\| ok [0-9]+ - DMAR at 0x[0-9a-f]+, [0-9]+ bytes: its sum is 0'
	image acpi "" mem=32M
	lacks 'DMAR at'
}

@test "acpi: the FADT's reset register resets, its PM1 control register switches off" {
	boots 1 "" "$G/acpi.elf" "vm a mem=32M -- reset" "$G/acpi.elf" "vm b mem=32M -- off"
	has 'hv: vm a: killed: reset' 'hv: vm b: exited with status 0'
}

@test "testdev: ports, MMIO, the flush port and lines; and without dev=testdev nothing" {
	image testdev
	has 'hv: vm t: .* 1 testdev, .*'
	image testdev absent mem=32M
	has 'hv: vm t: .* no device, .*'
}

@test "testdev: QEMU's device does the same" {
	command -v qemu-system-x86_64 || skip "no QEMU"
	# Status 1 is isa-debug-exit's word for 0.
	run -1 timeout 300 qemu-system-x86_64 -display none -no-reboot -device pc-testdev \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -kernel "$G/testdev.elf" </dev/null
	lacks 'FAIL'
	has '[0-9]+ checks, 0 failed'
}

@test "docs/devices.md: each line of its example stands in the code" {
	local line
	while IFS= read -r line; do
		grep -qxF "$line" hv/dev/testdev.[ch] hv/dev/devices.c || { echo "$line"; return 1; }
	done < <(sed -n '/^## The file/,/^## Its tests/s/^    //p' docs/devices.md)
}

@test "apic: acceptance, priority, delivery and the timer" { image apic; }

@test "memtypes: each combination has the expected type under kvm-6.7" {
	image memtypes
	[ "$(grep -c 'proved by rule' <<<"$output")" -eq 20 ]
	has 't\| ok [0-9]+ - kvm-6.7: the first page.s leaf was cleared'
}

@test "memtypes: with transition=retype, and with fill=table, the same types; leaves are retyped in place" {
	image memtypes "" "$(words memtypes) transition=retype fill=table"
	has 't\| ok [0-9]+ - the first page.s leaf was retyped where it is' \
		'hv: vm t: retyped [1-9][0-9]* leaves in [1-9][0-9]* tables' \
		'hv: vm t: noncoherent count 0 -> 1: cleared 0 leaves in 0 tables, INVEPT 1, [0-9]+ ticks'
	image memtypes "" "$(words memtypes) memtype=kvm-6.11 transition=retype"
}

@test "memtypes: kvm-6.6 leaves the stale leaf that kvm-6.7 clears" {
	image memtypes "" "$(words memtypes) memtype=kvm-6.6"
	has 't\| ok [0-9]+ - kvm-6.6: the first page.s leaf is stale, WB \+ ignore PAT'
}

@test "memtypes: kvm-6.11 does not honour guest MTRRs" {
	image memtypes "" "$(words memtypes) memtype=kvm-6.11"
}

@test "memtypes: under kvm-6.16 attach changes nothing, and the PAT counts at all times" {
	image memtypes "" "$(words memtypes) memtype=kvm-6.16"
	has 't\| ok [0-9]+ - kvm-6.16: the first page.s leaf is as it was, WB' \
		't\| ok [0-9]+ - the attach was no transition' \
		'hv: vm t: noncoherent count 0 -> 1: no transition'
}

# The lines of guest/faults/cases as "word|VM words|end".
fault_cases() {
	sed -E '/^#/d; s/\t+/|/g' guest/faults/cases
}

# faults STATUS REGEX: the cases whose end matches, one VM each, side by side in one machine.
faults() {
	local word vm_words end list=()
	while IFS='|' read -r word vm_words end; do
		list+=("$G/faults.elf" "vm $word $vm_words -- $word")
	done < <(fault_cases | grep -E "\|$2")
	BOOT_OPTIONS="--mem 768" boots "$1" "" "${list[@]}"
	lacks 'FAIL'
	while IFS='|' read -r word vm_words end; do
		has "hv: vm $word: $end"
	done < <(fault_cases | grep -E "\|$2")
}

@test "faults: what ends a guest ends it with the contract's words, and nobody else" {
	faults 1 '(killed: |exited with status [1-9])'
}

# The last events of the VM that the image faults, with the word trail, makes the hypervisor kill.
trail() {
	boots 1 "" "$G/faults.elf" "vm t mem=32M dev=edu iommu=on $1 -- trail"
	trail=$(sed -n '/killed: triple fault/,$p' <<<"$output" | sed -nE 's/^hv:   [0-9]+ ticks before: //p')
}

@test "a killed VM's last events are shown: at both transitions zap, INVEPT, WBINVD; its mark" {
	trail ""
	[ "$(sed -E 's/^(device|noncoherent count [^:]*|zap)[: ].*/\1/' <<<"$trail")" = "$(printf '%s\n' \
		'WBINVD on CPU 0' 'noncoherent count 0 -> 1' \
		device zap 'INVEPT on CPU 0' 'WBINVD on CPU 0' 'noncoherent count 1 -> 0' 'mark 4242')" ]
}

@test "under kvm-6.6, which does not zap, a transition executes neither INVEPT nor WBINVD" {
	trail memtype=kvm-6.6
	grep -q '^noncoherent count 1 -> 0: cleared 0 leaves in 0 tables, INVEPT 0, ' <<<"$trail"
	[ "$(grep -cE 'WBINVD|INVEPT on|zap' <<<"$trail")" -eq 0 ]
}

@test "a guest's lines: carriage returns dropped, long ones in pieces, the unfinished one at the end" {
	local piece
	piece=$(printf 'x%.0s' {1..240})
	boots 0 "" "$G/faults.elf" "vm t mem=32M -- lines"
	has 't\| one line' "t\\| $piece" 't\| xxxxxxxxxx' 't\| ' 't\| no newline behind this'
	[ "$(grep -cx "t| $piece" <<<"$output")" -eq 2 ]
	lacks $'\r'
	[ "$(grep -A 1 'no newline behind' <<<"$output" | tail -n 1)" = "hv: vm t: exited with status 0" ]
}

@test "faults: wild MSRs, registers, instructions, VMCALLs, tables and queues cost only the guest" {
	faults 0 'exited with status 0'
}

@test "faults: guests that never end do not keep others from ending" {
	local word vm_words end seconds list=()
	while IFS='|' read -r word vm_words end; do
		list+=("$G/faults.elf" "vm $word $vm_words -- $word")
	done < <(fault_cases | grep '|forever$')
	for seconds in 10 60 400; do # as long as a busy host needs for the two that end
		BOOT_OPTIONS="--timeout $seconds" boots 124 "" "${list[@]}" \
			"$G/hello.elf" "vm good mem=32M --" "$G/mmio.elf" "vm mmio $(words mmio) --"
		[ "$(grep -cE 'hv: vm (good|mmio): exited' <<<"$output")" -lt 2 ] || break
	done
	has 'hv: vm good: exited with status 0' 'hv: vm mmio: exited with status 0'
}

@test "bench: it runs to its end on Leafcutter" {
	image bench
	has 't\| CPUID +[0-9]+ ticks' 't\| done'
}
