#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# guest/leaves: how large leaves are, and what a guest's MTRR writes and CR0.CD take away, to the leaf;
# that other images hold with each transition= and fill=; and that the table guest/memtypes is held
# against has every combination.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

leaves() {
	boots 0 "" "$G/leaves.elf" "vm t mem=$1 iommu=on dev=edu ${2:-} --"
	lacks 'FAIL'
	has 'hv: vm t: exited with status 0'
}

@test "leaves: MTRR writes and CD clear exactly what they change; a 2M leaf is split and comes back" {
	leaves 64M
	has 't\| ok [0-9]+ - 0x2800000: a 2M leaf, WB \+ ignore PAT' \
		't\| ok [0-9]+ - 2 MiB of 4K leaves become UC: exactly 512 leaves cleared, one INVEPT'
}

@test "leaves: a retype keeps the large leaf and merges what it split; fill=table fills what a zap may take" {
	leaves 64M "transition=retype fill=table"
	has 't\| ok [0-9]+ - 0x2800000: its leaf is still there' \
		't\| ok [0-9]+ - it has stood where a table was since the transition: no INVEPT more'
	leaves 64M fill=table
}

# several "NAME WORDS"...: VMs of these images, with these words more, in one machine; all hold.
several() {
	local each name vms=()
	for each; do
		name=${each%% *}
		vms+=("$G/$name.elf" "vm $name$((${#vms[@]} / 2)) $(words "$name") ${each#* } --")
	done
	BOOT_OPTIONS="--mem 768" boots 0 "" "${vms[@]}"
	lacks 'FAIL'
	[ "$(grep -c '^hv: vm [a-z]*[0-9]: exited with status 0' <<<"$output")" -eq $# ]
}

@test "noncoherent, coherence and iommu: with transition=retype and with fill=table they hold as with a zap" {
	several "noncoherent transition=retype" "noncoherent fill=table" \
		"coherence transition=retype" "coherence fill=table" "iommu fill=table"
	has 'hv: vm noncoherent0: retyped [1-9].*' 'hv: vm coherence2: retyped [1-9].*'
}

@test "leaves: a 1G leaf is split and comes back" {
	# shellcheck source=tools/engines/kvm.sh
	source tools/engines/kvm.sh
	[ -z "$(kvm_lacks)" ] || skip "Bochs has no room for a VM of 2 GiB, and KVM cannot run here"
	ENGINE=qemu BOOT_OPTIONS="--mem 6144" leaves 2048M
	has 't\| ok [0-9]+ - 0x40000000: a 1G leaf, WB \+ ignore PAT'
}

@test "memtypes: 4 policies x noncoherent x CD x 5 MTRR types, each with 6 PAT types, are expected" {
	local table=guest/memtypes/expected.inc
	[ "$(grep -E '^E\(' $table | cut -d, -f1-4 | sort -u | wc -l)" -eq $((4 * 2 * 2 * 5)) ]
	[ "$(grep -cE '^E\((6_7|6_6|6_11|6_16), [01], [01], (UC|WC|WT|WP|WB)(, [A-Z0-9]+){8}\)$' $table)" -eq 80 ]
}
