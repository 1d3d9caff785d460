#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# A guest that does anything (guest/fuzz), beside a witness that measures how long it is kept from
# the CPU. No operation may make the hypervisor fault or an entry fail, and the guest lives.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# fuzz SEED: in a machine of its own, so that what one seed leaves behind hides nothing of the next. The witness runs for
# about as long. All seeds together are a million operations.
fuzz() {
	local operations=${FUZZ_OPERATIONS:-200000}
	BOOT_OPTIONS="--timeout 900" boots 0 "" "$G/neighbour.elf" "vm witness mem=32M -- ticks=$((operations * 2400))" \
		"$G/fuzz.elf" "vm fuzz $(words fuzz) -- seed=$1 ops=$operations"
	has "fuzz\\| seed $1: $operations operations, .*" 'hv: vm fuzz: exited with status 0' \
		'witness\| ok 1 - .*' 'witness\| ok 2 - .*' 'hv: vm witness: exited with status 0'
	lacks 'FAIL|VM entry failed|in the hypervisor|a defect of|rules for VM entries|SDM 3C'
}

@test "random operations of a guest: it lives, and a neighbour gets its share (200,000 of a million)" { fuzz 3; }
@test "... 200,000 from another seed" { fuzz 4; }
@test "... and a third" { fuzz 5; }
@test "... and a fourth" { fuzz 6; }
@test "... and a fifth" { fuzz 7; }

# checked IMAGE...: each in a VM, and the one in $more, every entry checked.
checked() {
	local image line=()
	for image in "$@"; do line+=("$G/$image.elf" "vm $image $(words "$image") --"); done
	BOOT_OPTIONS="--mem 1024 --timeout 600" boots 0 "check=always" "${line[@]}" "${more[@]}"
	lacks 'FAIL|VM entry (would|failed)|SDM 3C'
}

@test "with check=always every entry of the images is checked, and none breaks a rule" {
	more=("$G/fuzz.elf" "vm fuzz $(words fuzz) -- seed=3 ops=10000")
	checked modes contract testdev apic hello hello32 memtypes leaves mmio acpi terminal thirdparty iommu-lab \
		coherence tasks
}

@test "... and of those that take longer" {
	long
	more=()
	checked iommu fidelity noncoherent
}
