#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# What firmware does at boot on all CPUs at once: all MTRRs and CR0.CD, while a noncoherent device is attached.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
}

@test "firmware's MTRRs and CD cost each of 15 CPUs at most twice what they cost one" {
	local growth
	run -0 tests/bench/smp 1 15
	echo "$output"
	growth=$(sed -nE 's/^\.\.\. of each CPU .* ([0-9.]+)x$/\1/p' <<<"$output")
	awk -v growth="$growth" 'BEGIN { exit !(growth && growth <= 2) }'
}

@test "16 vCPUs on 8 CPUs: MTRRs, CD and transitions on all, no word lost" {
	BOOT_OPTIONS="--cpus 8" image smp "rounds=5 patience=16" "$(words smp | sed s/cpus=2/cpus=16/)"
	has 't\| ok .* nothing that 15 CPUs wrote is lost'
}
