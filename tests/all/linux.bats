#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Debian's kernel and its vfio-pci with each kind of IOMMU: what each step of Linux is to the noncoherent
# count is the table of docs/linux.md, made again here.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
	load ../boot/linux.bash
	mkdir -p "$columns"
}

ROUNDS=2

# column NAME "IOMMU WORDS" "KERNEL WORDS" DEVICE...: boots linux-vfio so, and keeps what each step did.
column() {
	local words
	words=$(words linux-vfio)
	rm -f "$columns/$1"
	words=${words/iommu=on,strict dev=edu/iommu=on,strict$2 ${*:4}}
	BOOT_OPTIONS="--timeout 1500 ${BOOT_OPTIONS:-}" boots 0 "" "$BUILD/linux/vmlinuz" "vm linux-vfio $words $3 -- $ROUNDS" \
		"$G/linux-vfio.initrd" initrd
	vfio_passed $((ROUNDS * ($# - 3)))
	lacks 'iommu: stale'
	transitions >"$columns/$1"
}

@test "vfio-pci, caching mode" { column cm1 "" "" dev=edu; }

@test "vfio-pci, no caching mode: the attach is found at the first DMA" { column cm0 ,cm=off "" dev=edu; }

@test "vfio-pci, snoop control: Linux keeps the device coherent" {
	column cm1-sc ,sc "" dev=edu
	has 'linux-vfio\| vfio: the IOMMU can force snooping'
	lacks 'noncoherent count 0 -> 1'
}

@test "vfio-pci, pass-through" { column cm1-pt "" iommu=pt dev=edu; }

@test "vfio-pci, pass-through, no caching mode" { column cm0-pt ,cm=off iommu=pt dev=edu; }

@test "vfio-pci, pass-through, snoop control: pass-through cannot be kept coherent" {
	column cm1-sc-pt ,sc iommu=pt dev=edu
}

@test "vfio-pci, two devices: while one comes and goes, the other stays" { column two "" "" dev=edu dev=edu; }

@test "vfio-pci on 4 CPUs, Linux with four" {
	BOOT_OPTIONS="--cpus 4" column four-cpus "" "" "dev=edu cpus=4"
	has 'hv: cpu: 4 of 4 started'
	diff "$columns/four-cpus" "$columns/cm1"
}

# driver "IOMMU WORDS" DEVICE...: boots linux-edu so: its driver in the kernel copies, is told the end of each of
# four transfers by an MSI, and is unloaded, twice.
driver() {
	local words
	words=$(words linux-edu)
	words=${words/iommu=on,strict dev=edu/iommu=on,strict$1 ${*:2}}
	BOOT_OPTIONS="--timeout 1500" boots 0 "" "$BUILD/linux/vmlinuz" "vm linux-edu $words" "$G/linux-edu.initrd" initrd
	lacks 'FAIL|iommu: stale'
	has 'linux-edu\| init: all rounds are through' 'hv: vm linux-edu: exited with status 0'
	[ "$(grep -c '^linux-edu| init: 0000:00:.*: 4 interrupts, 1 MSI$' <<<"$output")" -eq $((2 * ($# - 1))) ]
}

# Without snoop control the device is noncoherent as soon as the kernel has found it.
only_boot_and_poweroff() {
	diff <(transitions) - <<-'END'
		boot, translation on|^
		load|-
		DMA both ways|-
		DMA again|-
		unload|-
		poweroff|v
	END
}

@test "a driver in the kernel, caching mode: its device is noncoherent from the boot to power-off" {
	driver "" dev=edu
	only_boot_and_poweroff
}

@test "a driver in the kernel, no caching mode: its attach is found when translation goes on" {
	driver ,cm=off dev=edu
	only_boot_and_poweroff
}

@test "a driver in the kernel, snoop control: the DMA API does not ask for it, so its first DMA is the transition" {
	driver ,sc dev=edu
	diff <(transitions) - <<-'END'
		boot, translation on|-
		load|-
		DMA both ways|^
		DMA again|-
		unload|-
		DMA both ways|-
		poweroff|v
	END
}

# Each tick of Linux's clock costs a fifth of its time there. (Three minutes where nothing else runs.)
@test "Linux on real KVM: quiet, up to its init script's line within five minutes, by the TSC" {
	local source=/sys/devices/system/clocksource/clocksource0/current_clocksource TIMEFORMAT=%0U
	local ENGINE=nested BOOT_OPTIONS="--timeout 1500"
	{
		time boots 0 "" "$BUILD/linux/vmlinuz" "vm linux $(words linux) quiet -- cat $source" "$G/linux.initrd" initrd
	} 2>"$BATS_TEST_TMPDIR/seconds"
	has 'linux\| init: Linux .* is up, 1 CPU, [0-9]+ kB' 'linux\| tsc' 'hv: vm linux: exited with status 0'
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/seconds")" -le 300 ] # of CPU time: others may use the machine
}

@test "docs/linux.md: its table is what Linux did" {
	diff <(sed -n '/^| step | CM=1 .* two devices |/,/^$/p' docs/linux.md | sed '1,2d; /^$/d') <(transition_table)
}
