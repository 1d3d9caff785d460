#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# A guest finds what the bare machine has: the same image booted by GRUB on the same Bochs and as a guest of Leafcutter
# prints the same lines, but for what guest/fidelity/bochs_differs lists with its reason. And random instructions do to a
# device's memory what they do to RAM.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# bare IMAGE: what it prints on the machine itself.
bare() {
	local dir=$BATS_TEST_TMPDIR/$1
	mkdir -p "$dir/boot/grub"
	cp "$G/$1.elf" "$dir/boot/"
	printf 'multiboot /boot/%s.elf\nboot\n' "$1" >"$dir/boot/grub/grub.cfg"
	tools/grub-image "$dir.iso" "$dir" multiboot
	# There is no hypervisor's last line: the status says nothing.
	tools/boot --engine bochs --timeout 120 "$dir.iso" 2>/dev/null | tr -d '\r' | awk 1 || true
}

# agrees IMAGE: both say the same, to the end.
agrees() {
	local image how
	boots 0 "" "$G/$1.elf" "vm t $(words "$1") --"
	sed -n 's/^t| //p' <<<"$output" >"$BATS_TEST_TMPDIR/guest"
	bare "$1" >"$BATS_TEST_TMPDIR/bare"
	grep -qx 'done' "$BATS_TEST_TMPDIR/bare"
	while IFS=$'\t' read -r image how _; do
		[ "$image" != "$1" ] || sed -i -E "$how" "$BATS_TEST_TMPDIR/bare" "$BATS_TEST_TMPDIR/guest"
	done < <(grep -v '^#' guest/fidelity/bochs_differs)
	diff "$BATS_TEST_TMPDIR/bare" "$BATS_TEST_TMPDIR/guest"
}

@test "faults, single steps, breakpoints, interrupts and NMIs are those of the bare machine" {
	[ "$ENGINE" = bochs ] || skip "compares with Bochs"
	agrees fidelity
}

@test "task switches, segment limits, PDPTEs, and 16-bit code are those of the bare machine" {
	[ "$ENGINE" = bochs ] || skip "compares with Bochs"
	agrees tasks
}

@test "HLT under a single step does not sleep" {
	BOOT_OPTIONS="--timeout 120" boots 0 "" "$G/fidelity.elf" "vm t $(words fidelity) -- hlt"
	has 't\| HLT with TF: \[1 within TF dr6 0x4000 rcx 0\] \[1 behind TF dr6 0x4000 rcx 0\]' 't\| done'
}

# random SEED ROUNDS
random() {
	BOOT_OPTIONS="--timeout 1800" boots 0 "" "$G/fidelity.elf" "vm t $(words fidelity) -- random rounds=$2 seed=$1"
	has "t\\| $2 random instructions of seed 0x$1 on RAM and on a device, [0-9]+ of them faults: 0 differed"
}

@test "random instructions do to a device's memory what they do to RAM" {
	random 1 3000
	random 2 3000
}

@test "... and a quarter of a million others" {
	long
	random 3 "${FIDELITY_ROUNDS:-250000}"
}
