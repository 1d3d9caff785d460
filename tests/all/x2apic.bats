#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The host's local APICs as MSRs, as where firmware leaves them in x2APIC mode: Bochs's does not, so here the
# hypervisor takes them for that, and puts them into it.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
}

@test "x2APIC mode: CPUs are started, kicked and woken by MSRs" {
	local copy=$BATS_TEST_TMPDIR/tree
	mkdir "$copy"
	git ls-files -z | xargs -0 cp --parents -t "$copy"
	sed -i 's/if (takes_extint) is_x2apic = .*/is_x2apic = true;/' "$copy/hv/machine/apic.c"
	grep -q 'is_x2apic = true;' "$copy/hv/machine/apic.c"
	(cd "$copy" && make BUILD=build build/leafcutter.elf) >"$BATS_TEST_TMPDIR/log" 2>&1 ||
		{ cat "$BATS_TEST_TMPDIR/log"; return 1; }
	ELF=$copy/build/leafcutter.elf BOOT_OPTIONS="--cpus 4" boots 0 "" \
		"$G/smp.elf" "vm t mem=64M iommu=on dev=edu cpus=4 -- rounds=5"
	has 'hv: cpu: 4 of 4 started' 'hv: vm t: exited with status 0'
}
