#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The machine: what it lacks is one clear line, and what is optional has a fallback that works.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

@test "QEMU without KVM has no VMX: one line names it, status 3" {
	run --separate-stderr -3 tools/boot --engine tcg "$BUILD/leafcutter.iso"
	has 'hv: cpu: no VMX \(CPUID.1:ECX bit 5\): see docs/real-hardware.md' 'hv: end: status 3'
	lacks 'demo\|'
}

@test "a CPU without 64-bit mode ends with one line, status 3" {
	BOOT_OPTIONS="--cpu-model pentium_mmx"
	boots 3 "" "$G/hello.elf" "vm hello mem=32M --"
	has 'hv: cpu: no 64-bit mode.*' 'hv: end: status 3'
}

@test "a CPU with VMX and without EPT ends with a line that names it, status 3" {
	BOOT_OPTIONS="--cpu-model core2_penryn_t9600"
	boots 3 "" "$G/hello.elf" "vm hello mem=32M --"
	has 'hv: cpu: no .*' 'hv: end: status 3'
}

@test "the checker finds no broken rule before a first entry" {
	boots 0 "check" "$G/hello.elf" "vm hello mem=32M --"
	has 'hv: vm hello: check: 0 rules for VM entries broken' 'hv: vm hello: exited with status 0'
}

# The demonstration's checks hold with a feature left unused.
masked() {
	boots 0 "mask=$1" "$G/noncoherent.elf" "vm demo $(words noncoherent) --"
	has 'demo\| [0-9]+ checks, 0 failed' 'hv: vm demo: exited with status 0'
}

@test "without EPT accessed and dirty flags" { masked ept-ad; }
@test "without VPIDs" { masked vpid; }
@test "without single-context INVEPT" { masked invept-single; }
@test "without 1G leaves" { masked ept-1g; }
@test "without the preemption timer" { masked timer; }
@test "without everything optional but 2M leaves" { masked timer,vpid,ept-ad,ept-1g,invept-single; }

@test "other CPUs: haswell" {
	BOOT_OPTIONS="--cpu-model corei7_haswell_4770"
	masked vpid
}

@test "other CPUs: ice lake" {
	BOOT_OPTIONS="--cpu-model corei7_icelake_u"
	masked vpid
}

@test "make gdb: it stops at the entry, in its source, and gdb understands all symbols" {
	run -0 tools/gdb "$BUILD/leafcutter.iso" "$BUILD/leafcutter.elf" -batch
	[[ $output == *"Breakpoint 1, _start () at boot/entry.asm:"* ]]
	lacks '[Ww]arning|[Ee]rror'
}
