#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Every guest image under the real kvm_intel (engine nested), in one boot of its Linux, beside the
# same images on Bochs. The table of docs/engines.md is made from these two runs.
bats_require_minimum_version 1.5.0

IMAGES="noncoherent hello hello32 hello64 contract modes mmio memtypes leaves apic acpi testdev iommu-lab iommu coherence thirdparty"

# Write the ISOs: all images; the demonstration with 4K leaves only, as it is and without INVEPT
# (KVM tracks writes to the tables above the last level, so a large leaf would give a missing one
# away for nothing); a loop with interrupts off where there is no preemption timer; guests that
# end badly.
make_isos() {
	local image word list=() broken=$BATS_FILE_TMPDIR/no-invept.elf
	for image in $IMAGES; do
		list+=("$G/$image.elf" "vm $image $(words "$image") --")
	done
	iso images "$BUILD/leafcutter.elf" check "${list[@]}"

	cp "$BUILD/leafcutter.elf" "$broken"
	replace_code "$broken" invept c3
	iso no-invept "$broken" mask=ept-2m "$G/noncoherent.elf" "vm demo $(words noncoherent) --"
	iso no-invept-bytes "$broken" "" "$G/coherence.elf" "vm bytes $(words coherence) --"
	iso small "$BUILD/leafcutter.elf" mask=ept-2m "$G/noncoherent.elf" \
		"vm demo $(words noncoherent) --"

	iso spin-no-timer "$BUILD/leafcutter.elf" mask=timer,vpid,ept-ad,ept-1g,invept-single \
		"$G/faults.elf" "vm busy mem=32M -- spin-long" "$G/hello.elf" "vm hello mem=32M --"

	list=()
	for word in triple reset-cf9 halt execute-nothing tables-nothing msrs control vmcalls; do
		list+=("$G/faults.elf" "vm $word mem=32M -- $word")
	done
	list+=("$G/fuzz.elf" "vm fuzz $(words fuzz) -- seed=5 ops=2000")
	iso faults "$BUILD/leafcutter.elf" "" "${list[@]}"
}

# iso NAME ELF "OPTIONS" FILE "WORDS"...
iso() {
	local name=$1
	shift
	tools/iso "$BATS_FILE_TMPDIR/$name.iso" "$@"
}

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	local T=$BATS_FILE_TMPDIR start=$SECONDS
	make_isos
	tools/boot --engine nested --mem 720 --timeout 400 \
		"$T"/{images,small,no-invept,no-invept-bytes,spin-no-timer,faults}.iso >"$T/nested" 2>"$T/nested.err" || true
	mkdir -p "$BUILD/test" # kept: what a failed test is explained by
	cat "$T/nested" "$T/nested.err" >"$BUILD/test/kvm.console"
	echo "# nested: $((SECONDS - start)) s of wall time for six machines in one Linux" >&3
	tools/boot --engine bochs --mem 720 "$T/images.iso" >"$T/bochs" || true
	tools/boot --engine bochs --mem 512 "$T/no-invept.iso" >"$T/bochs-no-invept" || true
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	T=$BATS_FILE_TMPDIR
}

# console ISO: its part of the nested run, into $output.
console() {
	part "$T/nested" "$1"
}

@test "nested: every guest image passes on the real kvm_intel" {
	console images
	for image in $IMAGES; do has "hv: vm $image: exited with status 0"; done
	lacks 'FAIL'
	has 'hv: end: status 0'
}

@test "nested: KVM's VMX lets every first entry pass the checker" {
	console images
	for image in $IMAGES; do has "hv: vm $image: check: 0 rules for VM entries broken"; done
}

# Failed checks that tests/boot/engines_differ does not expect of this engine and image.
unexpected() {
	local checks
	checks=$(awk -F '\t' -v engine="$1" -v image="$2" \
		'$1 == engine && $2 == image { print $3 }' tests/boot/engines_differ)
	grep -E "^$2\| FAIL" <<<"$output" | { [ -z "$checks" ] && cat || grep -vE -- "$checks"; }
}

@test "nested: the demonstration passes with 4K leaves only" {
	console small
	has 'demo\| [0-9]+ checks, 0 failed' 'hv: vm demo: exited with status 0'
	lacks 'FAIL'
}

@test "nested: without INVEPT it fails: stale leaves are used" {
	console no-invept
	has 'demo\| FAIL .*'
	lacks 'checks, 0 failed'
}

# Whether the guest survives is luck: its own stack and counters lose bytes too.
@test "nested: without INVEPT the CPU goes on writing to the cache copy, and bytes are lost" {
	console no-invept-bytes
	has 'bytes\| FAIL [0-9]+ - found 4096 old and 0 new bytes, .*: UC by MTRR: the device reads .*' \
		'bytes\| FAIL: the device read 4096 old bytes of 0x[0-9a-f]+: its leaf is by now UC'
}

@test "bochs: a missing INVEPT cannot be seen there, as the list of differences says" {
	grep -q '^bochs	no-invept	not seen' tests/boot/engines_differ
	grep -q 'checks, 0 failed' "$T/bochs-no-invept"
}

@test "nested: no preemption timer, a loop with interrupts off: the other guest still runs" {
	console spin-no-timer
	has 'hv: vm hello: exited with status 0' 'hv: vm busy: exited with status 0'
	[ "$(grep -n 'hello| Hello from' <<<"$output" | cut -d: -f1)" -lt \
		"$(grep -n 'busy| ok' <<<"$output" | cut -d: -f1)" ]
}

@test "nested: guests that end badly end with the contract's words" {
	console faults
	has 'hv: vm triple: killed: triple fault' 'hv: vm reset-cf9: killed: reset' \
		'hv: vm halt: killed: halted with interrupts off' \
		'hv: vm execute-nothing: killed: instruction fetch .*' \
		'hv: vm tables-nothing: killed: page walk .*' 'hv: vm msrs: exited with status [01]' \
		'hv: vm control: exited with status 0' 'hv: vm vmcalls: exited with status 0'
	for word in msrs control vmcalls; do [ -z "$(unexpected nested $word)" ]; done
}

@test "nested: random operations of a guest: it lives, and so do the others" {
	console faults
	has 'fuzz\| seed 5: 2000 operations, .*' 'hv: vm fuzz: exited with status 0'
	lacks 'VM entry failed|in the hypervisor|a defect of'
}

# result CONSOLE-FILE IMAGE
result() {
	grep -qx "hv: vm $2: exited with status 0" "$1" && echo passes || echo FAILS
}

@test "the table of docs/engines.md is what these runs showed" {
	console images
	echo "$output" >"$T/nested-images"
	{
		echo '| image | bochs | nested (real KVM) |'
		echo '|---|---|---|'
		for image in $IMAGES; do
			echo "| $image | $(result "$T/bochs" "$image") | $(result "$T/nested-images" "$image") |"
		done
		echo '| noncoherent, INVEPT taken out | not seen | fails, as it must |'
		echo '| loop with IF=0, no preemption timer | not run | the other VMs go on |'
	} >"$BUILD/engines.md"
	diff <(sed -n '/^| image | bochs/,/^$/p' docs/engines.md | grep '^|') "$BUILD/engines.md"
}
