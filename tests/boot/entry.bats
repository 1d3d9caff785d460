#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The CPU judges the VM-entry checker: tests/entry/oracle.c makes every VMCS of the checker's unit
# test real and compares the two verdicts. Differences of an engine are data: tests/entry/bochs_omits.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# What tests/entry/bochs_omits expects of this engine, and of this version of it.
expected() {
	local names=$ENGINE
	[ "$ENGINE" != bochs ] || names="bochs|bochs$(dpkg-query -W -f '${Version}' bochs | cut -d. -f1)"
	sed -nE "s/^([a-z0-9 ]* )?($names)( [a-z0-9 ]*)? \| (.*) \| .*/\4/p" tests/entry/bochs_omits | sort -u
}

# judges OPTION...: the image on this engine; its differences are the expected ones.
judges() {
	local iso=$BATS_TEST_TMPDIR/entry.iso
	tools/iso "$iso" "$BUILD/entry_oracle.elf" ""
	run --separate-stderr -0 tools/boot --engine "$ENGINE" "$@" "$iso"
	has 'hv: entries: 4[0-9]{2} compared, .*' 'hv: end: status 0'
	diff <(expected) <(sed -n 's/^hv: differs: //p' <<<"$output" | sort -u)
}

@test "CPU and checker agree on every entry that the CPU offers, but for what the engine omits" {
	judges
}

@test "the same on a CPU with other controls" {
	[ "$ENGINE" = bochs ] || skip "the engine's CPU is given"
	judges --cpu-model corei7_icelake_u
}
