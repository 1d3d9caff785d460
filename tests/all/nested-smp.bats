#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # variables that bats sets
# Two vCPUs on two CPUs of the engine nested: the remote INVEPT under the real kvm_intel.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export TMPDIR="$BATS_TEST_TMPDIR/tmp"
	mkdir "$TMPDIR"
}

# guest/smp keeps interrupts on there: with them off a vCPU that spins starves the others of KVM. A transition takes
# 160 to 400 thousand ticks there, and without its kick a slice.
@test "nested: two vCPUs on two CPUs, transitions under fire" {
	tools/iso "$TMPDIR/smp.iso" "${BUILD:-build}/leafcutter.elf" "" "${BUILD:-build}/guest/smp.elf" \
		"vm t mem=64M cpus=2 iommu=on dev=edu -- interruptible rounds=3 patience=40 calm=2 bound=1000000"
	run -0 tools/boot --engine nested --cpus 2 --timeout 900 "$TMPDIR/smp.iso"
	grep -qx 'hv: cpu: 2 of 2 started' <<<"$output"
	if grep FAIL <<<"$output"; then return 1; fi
	grep -qx 't| ok .* - a CPU that spins with interrupts off uses no translation from before' <<<"$output"
	grep -qx 'hv: vm t: exited with status 0' <<<"$output"
}
