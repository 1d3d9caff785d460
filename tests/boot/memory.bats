#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Memory is reserved when a VM is made and free again when it has ended: no VM can use up what
# another needs, and nothing is lost.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# two GREEDY INNOCENT STATUS: MiB of each; the first makes every leaf 4K, the second touches all.
two() {
	BOOT_OPTIONS="--mem 512" boots "$3" mask=ept-2m,ept-1g \
		"$G/neighbour.elf" "vm greedy mem=$1M iommu=on dev=edu -- alternate ticks=1" \
		"$G/neighbour.elf" "vm innocent mem=$2M -- touch ticks=1"
	lacks 'no memory for|a defect of'
	has 'hv: vm greedy: exited with status 0'
}

@test "two VMs that need every EPT table they can need share 512 MiB" {
	two 253 253 0
	has 'hv: vm innocent: exited with status 0'
}

@test "a VM whose EPT tables might not find room is refused when it is made" {
	two 254 255 1
	has 'hv: vm innocent: mem=255M: only 254 MiB of the machine.s memory are left; .*'
}

@test "what VMs had is free again, in one piece, however they ended" {
	boots 1 "" "$G/faults.elf" "vm killed mem=32M iommu=on dev=edu -- triple" \
		"$G/hello.elf" "vm big mem=1024M --" "$G/hello.elf" "vm hello mem=16M dev=testdev --" \
		"$G/noncoherent.elf" "vm demo $(words noncoherent) --" .gitignore "vm no-image mem=16M --"
	has 'hv: vm killed: killed: triple fault' 'hv: vm big: mem=1024M: .*' \
		'hv: vm hello: exited with status 0' 'hv: vm demo: exited with status 0' 'hv: vm no-image: .*'
	lacks 'a defect of'
}
