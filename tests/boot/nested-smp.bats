#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # variables that bats sets
# Two vCPUs on two CPUs of the engine nested, the shootdown under the real kvm_intel: as it is, and
# without any INVEPT. Both in one boot of its Linux.
bats_require_minimum_version 1.5.0

# iso NAME ELF "OPTIONS" "GUEST WORDS". guest/smp keeps interrupts on there: with them off a vCPU that spins starves
# the others of KVM. A transition takes 160 to 400 thousand ticks there, and without its kick a slice.
iso() {
	tools/iso "$BATS_FILE_TMPDIR/$1.iso" "$2" "$3" "$G/smp.elf" \
		"vm t mem=64M cpus=2 iommu=on dev=edu -- interruptible times=5 bound=1500000 $4"
}

# 4K leaves only: KVM tracks writes to the tables above the last level, so a large leaf would give a missing INVEPT away.
setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	local broken=$BATS_FILE_TMPDIR/no-invept.elf
	cp "$BUILD/leafcutter.elf" "$broken"
	replace_code "$broken" invept c3
	iso smp "$BUILD/leafcutter.elf" "" "rounds=2 patience=40 calm=5"
	iso no-invept "$broken" mask=ept-2m "rounds=1 patience=10 deaf"
	tools/boot --engine nested --cpus 2 --timeout 900 "$BATS_FILE_TMPDIR"/{smp,no-invept}.iso \
		>"$BATS_FILE_TMPDIR/nested" || true
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

@test "nested: two vCPUs on two CPUs, transitions under fire" {
	part "$BATS_FILE_TMPDIR/nested" smp
	lacks FAIL
	has 'hv: cpu: 2 of 2 started' 't\| [0-9]+ checks, 0 failed' 'hv: vm t: exited with status 0' \
		't\| ok .* - a CPU that spins with interrupts off uses no translation from before' \
		't\| ok .* - nothing that 1 CPUs wrote is lost'
}

# An INVEPT on the CPU that flushes alone is almost always enough there: tests/model/ and a unit test see that one.
@test "nested: two vCPUs, without any INVEPT the other one goes on with stale leaves" {
	part "$BATS_FILE_TMPDIR/nested" no-invept
	has 'hv: cpu: 2 of 2 started' \
		't\| FAIL .* - found [1-9][0-9]* stale translations, expected 0: a CPU that spins .*' \
		'hv: vm t: exited with status 1'
}
