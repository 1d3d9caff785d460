#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# docs/look-inside.md: each of its cases is run as it stands there, and answers as it says.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	page=docs/look-inside.md
	unset MAKEFLAGS
}

# The lines of the page that begin with this text, without their indent.
lines_of() {
	sed -n 's/^    //p' "$page" | grep -E -- "^$1"
}

# all_said TEXT: the page has lines that begin so, and each is on the console.
all_said() {
	local line
	[ -n "$(lines_of "$1")" ]
	while IFS= read -r line; do
		grep -qxF -- "$line" <<<"$output" || { echo "not said: $line"; show; return 1; }
	done < <(lines_of "$1")
}

# command N: the page's n-th `make run`.
command_of() {
	lines_of 'make run' | sed -n "$1p"
}

@test "why is this page UC? as on the page; and what the older rules leave stale" {
	run --separate-stderr -0 bash -c "printf 'walk 0x2000000\n' | $(command_of 1) ENGINE=$ENGINE"
	has 'hv: demo> walk 0x2000000' 'hv:   level 2: 0x[0-9a-f]+: 2M at 0x[0-9a-f]+, RWX, accessed, UC'
	local first=$output
	run --separate-stderr bash -c "printf 'walk 0x2240000\n' | $(command_of 2) ENGINE=$ENGINE"
	output+=$'\n'$first
	all_said 'hv:   guest-physical' && all_said 'hv:   count' && all_said 'hv:   a fault' && all_said 'hv:   table 12-7' && all_said 'hv:   stale'
}

@test "where does my guest spin? its function is named" {
	run --separate-stderr bash -c "$(command_of 3) TIMEOUT=20 ENGINE=$ENGINE"
	[ "$status" -eq 2 ]
	all_said 'faults'
	has 'hv: vm faults: vcpu 0: rip 0x[0-9a-f]+, cr3 0x[0-9a-f]+, 64-bit code' \
		'tools/boot: vm faults: rip 0x[0-9a-f]+ is in spin_for_ever, guest/faults/ends.c:[0-9]+'
}

@test "which exits cost most? the same three, in the same order" {
	local trace=$BATS_TEST_TMPDIR/trace
	run -0 bash -c "$(command_of 4 | sed "s|build/demo.trace|$trace|") ENGINE=$ENGINE"
	run --separate-stderr -0 tools/trace --summary "$trace"
	[ "${lines[0]}" = "$(lines_of 'VM ')" ]
	[ "$(awk 'NR > 1 && NR < 5 { print substr($0, 17, 20) }' <<<"$output")" = \
		"$(lines_of 'demo  ' | head -n 3 | awk '{ print substr($0, 17, 20) }')" ]
	# The dearest EPT violation is the tail write, with its INVEPT right behind.
	run --separate-stderr -0 tools/trace "$trace"
	grep -E 'exit: EPT violation, ' <<<"$output" | awk '{ ticks = $(NF - 1); if (ticks > most) { most = ticks; line = $0 } }
		END { print line }' | grep -q 0xfed90088
}
