#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The demonstration, as `make run` boots it: the guest's checks and the hypervisor's own lines.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	local TIMEFORMAT='%U + %S' # of the CPU: that of the wall is the host's load
	{ time run tools/boot --engine "$ENGINE" "$BUILD/leafcutter.iso"; } 2>"$BATS_FILE_TMPDIR/seconds"
	echo "$status" >"$BATS_FILE_TMPDIR/status"
	echo "$output" >"$BATS_FILE_TMPDIR/console"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	status=$(<"$BATS_FILE_TMPDIR/status")
	output=$(<"$BATS_FILE_TMPDIR/console")
}

# in_order LINE...: the lines occur one after the other.
in_order() {
	local line rest=$output
	for line in "$@"; do
		grep -qE -- "$line" <<<"$rest" || { echo "not in order: $line"; show; return 1; }
		rest=$(re=$line awk 'found { print } $0 ~ ENVIRON["re"] { found = 1 }' <<<"$rest")
	done
}

@test "it ends by itself with status 0 within a minute of the CPU's time" {
	[ "$status" -eq 0 ]
	awk '/^[0-9.]+ \+ [0-9.]+$/ { ok = $1 + $3 > 0.1 && $1 + $3 < 60 } END { exit !ok }' \
		"$BATS_FILE_TMPDIR/seconds"
	[ "$(tail -n 1 <<<"$output")" = "hv: end: status 0" ]
	has 'hv: vm demo: exited with status 0'
}

@test "every check of the guest holds, and there are sixty or more" {
	lacks 'FAIL'
	[ "$(grep -c '^demo| ok ' <<<"$output")" -ge 60 ]
	has 'demo\| [0-9]+ checks, 0 failed'
}

@test "attach 0 -> 1 clears leaves, executes one INVEPT, and the wait status comes after" {
	in_order 'device 00:02.0 attached, noncoherent' \
		'noncoherent count 0 -> 1: cleared [1-9][0-9]* leaves in [1-9][0-9]* tables, INVEPT 1, [0-9]+ ticks' \
		'context cache invalidated, wait status seen' \
		'none of the [0-9]+ pages has a leaf any more'
}

@test "after 0 -> 1 leaves come back as UC, WC and WB, and PAT counts" {
	in_order 'noncoherent count 0 -> 1' 'MTRR WB: leaves WB \(' 'MTRR UC: leaves UC \(' \
		'MTRR WC: leaves WC \(' 'every byte written at the beginning is still there'
	has 'hv: vm demo: first UC since then: fault at 0x[0-9a-f]+, 2M leaf' \
		'hv: vm demo: first WC since then: fault at 0x[0-9a-f]+, 4K leaf' \
		'hv: vm demo: first WB since then: fault at 0x[0-9a-f]+, 4K leaf' \
		'hv: vm demo: first WB \+ ignore PAT since then: fault at 0x[0-9a-f]+, 4K leaf'
}

@test "1 -> 2 and 2 -> 1 are no transitions" {
	in_order 'noncoherent count 1 -> 2: no transition' 'noncoherent count 2 -> 1: no transition' \
		'noncoherent count 1 -> 0: cleared [1-9][0-9]* leaves'
}

@test "1 -> 0 clears leaves again and they come back WB + ignore PAT" {
	in_order 'noncoherent count 1 -> 0: cleared [1-9][0-9]* leaves in [1-9][0-9]* tables, INVEPT 1' \
		'MTRR UC: leaves WB \+ ignore PAT' 'MTRR WC: leaves WB \+ ignore PAT' \
		'every byte written at the beginning is still there'
}

@test "CR0.CD makes UC + ignore PAT with a noncoherent device, and nothing without" {
	in_order 'CR0.CD = 1 while one device is attached' 'leaves UC \+ ignore PAT' \
		'CR0.CD = 1 with none attached' 'leaves WB \+ ignore PAT' 'no leaf was cleared'
}

@test "DMA goes out and in through the guest's mapping and every byte arrives" {
	in_order 'root table set, queue on, translation on' 'all 4096 bytes arrived'
}

@test "ticks repeat: a second run prints the same console" {
	[ "$ENGINE" = bochs ] || skip "only Bochs counts instructions"
	run tools/boot --engine bochs "$BUILD/leafcutter.iso"
	diff "$BATS_FILE_TMPDIR/console" - <<<"$output"
}

@test "the transcripts of the page and of the README are this one, but for ticks and what they leave out" {
	local page plain='s/[0-9]+ ticks/N ticks/; s/[0-9]+ exits,.*/N exits/; /^demo\| *$/d'
	sed -E "$plain" <<<"$output" >"$BATS_TEST_TMPDIR/plain"
	for page in docs/demonstration.md README.md; do
		sed '/^## See it fail/q; /^## Linux does/q; /^## Where to go/q' "$page" | sed -nE 's/^    ((hv:|demo\|).*)/\1/p' |
			sed -E "$plain" >"$BATS_TEST_TMPDIR/page"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/page")" -ge "$([ "$page" = README.md ] && echo 10 || echo 40)" ]
		diff <(grep -xFf "$BATS_TEST_TMPDIR/page" "$BATS_TEST_TMPDIR/plain") "$BATS_TEST_TMPDIR/page"
	done
}
