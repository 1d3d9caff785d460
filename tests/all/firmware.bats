#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# What firmware does at boot on all CPUs at once, all MTRRs and CR0.CD, with more vCPUs than CPUs. (What it costs is in
# tests/boot/bench.bats.)
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
}

@test "16 vCPUs on 8 CPUs: MTRRs, CD and transitions on all, no word lost" {
	BOOT_OPTIONS="--cpus 8" image smp "rounds=5 patience=16" "$(words smp | sed s/cpus=2/cpus=16/)"
	has 't\| ok .* nothing that 15 CPUs wrote is lost'
}
