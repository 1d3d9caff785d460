#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# On Bochs a tick is an instruction and figures repeat, so what an exit may cost is a test.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# bench OPTIONS NAME "VM WORDS" "GUEST WORDS": boots guest/bench; its console is kept as NAME for all tests.
bench() {
	ENGINE=bochs boots 0 "$1" "$G/bench.elf" "vm $2 $(words bench) $3 -- $4"
	echo "$output" >"$BATS_FILE_TMPDIR/$2"
}

# figure NAME: its ticks on the console.
figure() { sed -nE "s~^[^ ]*\| ${1//[()]/.} +([0-9]+) ticks$~\1~p" <<<"$output"; }

@test "bench: no exit costs more ticks on Bochs than tests/bench/targets allows, and docs/figures.md has them" {
	local name most ticks ours wrong=0 rows=0 percent=100
	# What the compiler makes of the same source differs a little: the figures are gcc 12's.
	[ "$(gcc -dumpversion)" = 12 ] || percent=103
	bench mask=ept-2m zap-4k-1
	while IFS='|' read -r name most; do
		ticks=$(figure "$name")
		[ -n "$ticks" ] && [ "$ticks" -le $((most * percent / 100)) ] && continue
		echo "$name: ${ticks:-no figure}, more than $most"
		wrong=1
	done < <(grep -v '^#\|^transition: ' tests/bench/targets)
	while IFS='|' read -r _ name _ _ ours _; do
		read -r name <<<"${name//\`/}"
		ticks=$(figure "$name")
		[ -n "$ticks" ] && rows=$((rows + 1)) || continue
		# No better than it is, and not far behind it.
		[ $((ours * 100)) -ge $((ticks * 97 - 100)) ] && [ $((ours * 100)) -le $((ticks * 130 + 100)) ] && continue
		echo "docs/figures.md: $name: $ours, measured $ticks"
		wrong=1
	done < <(grep '^| .*[0-9]' docs/figures.md | grep -v '2M leaf')
	[ "$wrong" -eq 0 ] && [ "$rows" -ge 10 ]
}

@test "bench: the rivals of the zap cost no more than tests/bench/targets allows, and a retype makes no faults" {
	[ -e "$BATS_FILE_TMPDIR/zap-4k-1" ] || bench mask=ept-2m zap-4k-1 "" transitions
	bench mask=ept-2m fill-4k-1 fill=table transitions
	bench mask=ept-2m retype-4k-1 transition=retype transitions
	bench "" retype-2m-1 transition=retype transitions
	run tests/bench/transitions --held "$BATS_FILE_TMPDIR"/*-1
	echo "$output"
	[ "$status" -eq 0 ]
}

# figures LINE: of a line of tests/bench/smp what it says of 1, 8 and 15 CPUs.
figures() {
	awk -v line="$1" 'index($0, line) == 1 { print $(NF - 3), $(NF - 2), $(NF - 1); found++ } END { exit found != 1 }' <<<"$output"
}

@test "bench: 8 CPUs touch own memory first at 1.25 times the cost of one at most, a kick is 250 ticks; firmware's MTRRs and CD cost each of 15 twice one's" {
	local one eight all
	run -0 tests/bench/smp 1 8 15
	echo "$output"
	read -r one eight all < <(figures 'first touch')
	[ $((eight * 4)) -le $((one * 5)) ]
	read -r one eight all < <(figures '... that kicks')
	[ "$eight" -le 250 ]
	read -r one eight all < <(figures '... of each CPU')
	[ "$eight" -le $((2 * one)) ]
	[ "$all" -le $((2 * one)) ]
}
