#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# A run that is ended from outside says where each vCPU was, as long as the hypervisor answers; and
# a RIP on the console is followed by its place in the source, where the program's symbols are.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	place='hv: vm t: vcpu 0: rip 0x[0-9a-f]+, cr3 0x[0-9a-f]+, 64-bit code'
	source='tools/boot: vm t: rip 0x[0-9a-f]+ is in spin_for_ever, guest/faults/ends.c:[0-9]+'
}

# spins: the ISO of a guest that never ends.
spins() {
	make_iso "" "$G/faults.elf" "vm t mem=32M -- spin"
}

@test "at the timeout each vCPU's place is shown, with function and line, before status 124" {
	spins
	local seconds
	for seconds in 8 60; do # a busy host may need long to come that far
		run --separate-stderr -124 tools/boot --engine "$ENGINE" --timeout "$seconds" "$iso"
		! grep -q 'spin: an endless' <<<"$output" || break
	done
	has "$place" "$source"
	[[ $stderr == "tools/boot: timeout: "* ]]
}

@test "at Ctrl-C as well, before status 130" {
	spins
	local out=$BATS_TEST_TMPDIR/out status=0 boot
	# In the background of a script SIGINT is ignored: perl takes it back.
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' tools/boot --engine "$ENGINE" "$iso" >"$out" 3>&- &
	boot=$!
	until grep -q 'spin: an endless' "$out"; do sleep 0.2; done
	kill -INT "$boot"
	wait "$boot" || status=$?
	output=$(cat "$out")
	[ "$status" -eq 130 ]
	has "$place" "$source"
}

@test "a killed VM's place is followed by function and line; a program built later has no say" {
	boots 1 "" "$G/faults.elf" "vm t mem=32M -- triple"
	has 'tools/boot: vm t: rip 0x[0-9a-f]+ is in triple_fault, guest/faults/ends.c:[0-9]+'
	cp "$G/faults.elf" "$BATS_TEST_TMPDIR/later.elf"
	make_iso "" "$BATS_TEST_TMPDIR/later.elf" "vm t mem=32M -- triple"
	cp "$G/faults.elf64" "$BATS_TEST_TMPDIR/later.elf64"
	touch -d 'next minute' "$BATS_TEST_TMPDIR/later.elf64"
	run --separate-stderr -1 tools/boot --engine "$ENGINE" "$iso"
	has 'hv:   vcpu 0: rip 0x[0-9a-f]+, .*'
	lacks '^tools/boot: '
}
