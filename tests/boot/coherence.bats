#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2030,SC2031
# coherence=model: what a memory type does to bytes. guest/coherence compares each byte of its
# buffers and knows by VMCALL under which policy; here it is told where it has to fail, and how.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# fails: the claims that do not hold, by number.
fails() {
	sed -nE 's/^t\| FAIL ([0-9]+) - .*/\1/p' <<<"$output" | tr '\n' ' '
}

@test "coherence: under kvm-6.7 each buffer that is treated rightly is right, and the others are old" {
	image coherence
	has 'hv: vm t: 32 MiB, IOMMU on, 2 edu, memory types as kvm-6.7, caches modelled'
	[ "$(grep -c 'old bytes, as on a real machine, since no WBINVD came between' <<<"$output")" -eq 6 ]
	image coherence "" "$(words coherence) iommu=on,cm=off"
}

@test "coherence: with snoop control a mapping with SNP makes every buffer right" {
	image coherence "" "$(words coherence) iommu=on,sc"
	has 't\| == SNP in its mappings: written while attached, read by the device'
	[ "$(grep -c 'old bytes, as on a real machine' <<<"$output")" -eq 6 ]
}

@test "coherence: under kvm-6.6 the device and the CPU read old bytes through leaves that are stale" {
	boots 1 "" "$G/coherence.elf" "vm t $(words coherence) memtype=kvm-6.6 --"
	has 't\| With memtype=kvm-6.6 this image fails by design: .*' \
		't\| FAIL: the device read 4096 old bytes of 0x1000000: its leaf is still WB \+ ignore PAT' \
		't\| FAIL: the CPU read 4096 old bytes of 0x1004000: its leaf is still WB \+ ignore PAT'
	[ "$(fails)" = "5 7 8 10 12 18 22 24 26 28 29 31 33 39 43 45 " ]
	[ "$(grep -c 't| FAIL: .* old bytes of .* is still WB + ignore PAT' <<<"$output")" -eq 16 ]
}

@test "coherence: under kvm-6.11 and kvm-6.16 no buffer is UC, and one line says so" {
	local policy
	for policy in kvm-6.11 kvm-6.16; do
		image coherence "" "$(words coherence) memtype=$policy"
		has "hv: vm t: coherence=model: no buffer can be made UC, for $policy asks no MTRR: .*" \
			't\| ok [0-9]+ - UC by MTRR: the CPU reads old bytes, as on a real machine, since this policy makes no buffer UC'
	done
	has 't\| ok 5 - UC by MTRR: the device reads old bytes, .* since this policy has no transition to write it back'
	lacks 'noncoherent count.*cleared'
}

@test "coherence: without the model every byte arrives, also through stale leaves" {
	image coherence "" "$(words coherence) coherence=none memtype=kvm-6.6"
	lacks 'old bytes'
}

# without FUNCTION N: the image, by a hypervisor in which the function does nothing but return N, 0 or 1.
without() {
	local broken=$BATS_TEST_TMPDIR/broken.elf
	cp "$BUILD/leafcutter.elf" "$broken"
	replace_code "$broken" "$1" "b00$2c3" # mov al, N; ret
	tools/iso "$BATS_TEST_TMPDIR/test.iso" "$broken" "" "$G/coherence.elf" "vm t $(words coherence) --"
	run --separate-stderr -1 tools/boot --engine "$ENGINE" --timeout 120 "$BATS_TEST_TMPDIR/test.iso"
}

# 5: UC by MTRR, written before the attach and not touched since. 24: a device wrote around the
# cache, detach, and then the guest's WBINVD, which is ignored.
@test "coherence: without the WBINVD of a transition bytes are lost, both ways" {
	without coherence_transition 0 # it has come to its end
	has 't\| FAIL 5 - found 4096 old and 0 new bytes, .*: UC by MTRR: the device reads what was written' \
		't\| FAIL 24 - found 4096 old and 0 new bytes, .*: WB, WBINVD before and after: the CPU reads what was written' \
		't\| ok 8 - UC by MTRR: the device reads what was written'
}

@test "coherence: a guest's WBINVD writes back and drops what is cached" {
	without coherence_write_back 1
	has 't\| FAIL 16 - found 4096 old and 0 new bytes, .*: WB, WBINVD before and after: the device reads .*' \
		't\| FAIL 20 - found 4096 old and 0 new bytes, .*: WB, WBINVD before and after: the CPU reads .*'
}

@test "coherence: without A/D flags, or without twice the memory, a VM is refused; the others run" {
	local hello="$G/hello.elf"
	boots 1 "mask=ept-ad" "$hello" "vm t mem=32M coherence=model --" "$hello" "vm u mem=32M --"
	has 'hv: vm t: coherence=model: the CPU has no EPT accessed and dirty flags, or they are masked; expected a CPU that has them' \
		'hv: vm u: exited with status 0'
	boots 1 "" "$hello" "vm t mem=160M coherence=model --" "$hello" "vm u mem=160M --"
	has "hv: vm t: mem=160M twice, for coherence=model: only [0-9]+ MiB of the machine's memory are left; expected a smaller mem= or a larger machine" \
		'hv: vm u: exited with status 0'
}

@test "coherence: guests that share no memory with a device see nothing of the model" {
	local name
	for name in mmio modes noncoherent; do
		boots 0 "" "$G/$name.elf" "vm t $(words $name) coherence=model --"
	done
}
