#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# On Bochs a tick is an instruction and figures repeat, so what an exit may cost is a test.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

@test "bench: no exit costs more ticks on Bochs than tests/bench/targets allows" {
	local name most ticks missed=0 percent=100
	# What the compiler makes of the same source differs a little: the figures are gcc 12's.
	[ "$(gcc -dumpversion)" = 12 ] || percent=103
	ENGINE=bochs boots 0 "" "$G/bench.elf" "vm t $(words bench) --"
	while IFS='|' read -r name most; do
		ticks=$(sed -nE "s/^t\| ${name//[()]/.} +([0-9]+) ticks$/\1/p" <<<"$output")
		[ -n "$ticks" ] && [ "$ticks" -le $((most * percent / 100)) ] && continue
		echo "$name: ${ticks:-no figure}, more than $most"
		missed=1
	done < <(grep -v '^#' tests/bench/targets)
	[ "$missed" -eq 0 ]
}

# A line of tests/bench/smp: its last column is how many times more 8 CPUs take than one.
times() { sed -nE "s/^$1.* ([0-9.]+)x$/\1/p" <<<"$output"; }

@test "bench: with 8 CPUs the first touch of own memory costs at most 1.25 times as much, MTRRs at most twice" {
	run -0 tests/bench/smp 1 8
	echo "$output"
	awk -v touch="$(times 'first touch')" -v mtrrs="$(times '\.\.\. of each CPU')" \
		'BEGIN { exit !(touch && mtrrs && touch <= 1.25 && mtrrs <= 2) }'
}
