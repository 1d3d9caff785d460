#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Debian's stock kernel as a guest: it comes up, its drivers find the machine they know, it is typed at,
# and it ends as it should.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	load linux.bash
	L=$BUILD/linux/vmlinuz
	I=$G/linux.initrd
}

# linux STATUS "HYPERVISOR WORDS" "KERNEL WORDS": boots it as `make run` does.
linux() {
	boots "$1" "$2" "$L" "vm linux $(words linux) $3" "$I" initrd
}

kernel='init: Linux [0-9.]+-[0-9]+-cloud-amd64 is up'
up="$kernel, 1 CPU, [0-9]+ kB"

# Its warnings and errors are those that docs/linux.md explains.
only_known_warnings() {
	local line known
	known=$(sed -nE 's/^\| `([^`]*)` \|.*/\1/p' docs/linux.md)
	while read -r line; do
		grep -qF -f <(echo "$known") <<<"$line" || { echo "not in docs/linux.md: $line"; return 1; }
	done < <(grep -E '^linux\| \[' <<<"$output")
}

@test "Linux comes up quietly, attaches its device and powers off: status 0" {
	linux 0 "" "loglevel=5 -- cat /proc/interrupts /proc/uptime"
	has "linux\| $up" 'linux\| \[.*\] reboot: Power down' 'hv: vm linux: exited with status 0' \
		'hv: vm linux: device 00:02.0 attached, noncoherent' \
		'hv: vm linux: device 00:02.0 detached, was noncoherent' 'hv: end: status 0'
	has 'linux\| +LOC: +[0-9]{4} .*' 'linux\| +ERR: +0' 'linux\| +MIS: +0'
	only_known_warnings
}

# The same kernel with a header that offers no 64-bit entry (boot.rst: xloadflags, byte 0x236), by its path.
@test "make run GUEST=path: a kernel without a 64-bit entry begins at its 32-bit one; its reboot is a reset, and status 1" {
	local kernel=$BATS_TEST_TMPDIR/vmlinuz words
	words=$(words linux)
	cp "$L" "$kernel"
	overwrite "$kernel" $((0x236)) 00
	run --separate-stderr make --no-print-directory run ENGINE="$ENGINE" GUEST="$kernel" INITRD="$I" HV=stop=entry \
		VM="${words%% -- *}" ARGS="${words#* -- } quiet -- reboot -f" <<<$'regs\ncontinue'
	[ "$status" -eq 2 ] # make's own, for 1
	has 'hv:   rip 0000000000100000 .*' 'hv:   cr0 .* efer 0'
	has "guest\| $up" 'hv: vm guest: killed: reset' 'hv: end: status 1'
}

# finds_four CPUS: Linux with cpus=4 on so many CPUs. Each of its four has had its timer and a call from
# another.
finds_four() {
	local some=' +[1-9][0-9]*'
	BOOT_OPTIONS="--cpus $1 --timeout 900" boots 0 "" "$L" \
		"vm linux cpus=4 $(words linux) loglevel=5 -- cat /proc/interrupts" "$I" initrd
	has "linux\\| $kernel, 4 CPU, [0-9]+ kB" "linux\\| +LOC:$some$some$some$some +Local timer .*" \
		"linux\\| +CAL:$some$some$some$some +Function call .*" 'linux\| +ERR: +0' 'hv: vm linux: exited with status 0'
	only_known_warnings
}

@test "Linux with cpus=4 on 4 CPUs finds four" {
	finds_four 4
	has 'hv: cpu: 4 of 4 started'
}

@test "Linux with cpus=4 on one CPU finds four" {
	long
	finds_four 1
}

# at_prompts CONSOLE TEXT...: at each prompt of the shell on the console the next text is typed.
at_prompts() {
	local console=$1 text prompts=0
	for text in "${@:2}"; do
		prompts=$((prompts + 1))
		until [ "$(grep -c '^/ # ' "$console")" -ge $prompts ]; do
			sleep 0.2
		done
		printf '%s\n' "$text"
	done
	while ! grep -q 'hv: end' "$console"; do # else the shell's input would end
		sleep 0.2
	done
}

@test "console=guest: a 64-bit entry is taken, the shell at the terminal is the guest's, Ctrl-A stays the hypervisor's" {
	make_iso "console=guest stop=entry" "$L" "vm linux $(words linux) quiet" "$I" initrd
	local console=$BATS_TEST_TMPDIR/console
	: >"$console"
	# To the guest's shell Ctrl-A is the way to the line's beginning.
	# shellcheck disable=SC2094 # the console is read while it is written
	{ echo $'regs\ncontinue'; at_prompts "$console" $'\x01w42\x01\x01echo typed ' poweroff; } |
		tools/boot --engine "$ENGINE" --interactive "$iso" >"$console"
	output=$(tr -d '\r' <"$console")
	has 'hv:   rip 0000000000100200 .*' 'hv:   cr0 .* efer 500' \
		'hv: console of linux, Ctrl-A h for help' "$up" 'typed 42' \
		'hv: vm linux: vcpu 0: rip .*' 'hv: vm linux: exited with status 0'
	lacks '^linux\|'
}

@test "reset=restart: five reboots of Linux, each a machine as new" {
	long
	make_iso "console=guest" "$L" "vm linux reset=restart $(words linux) quiet" "$I" initrd
	local console=$BATS_TEST_TMPDIR/console reboot='reboot; sleep 100'
	: >"$console"
	# shellcheck disable=SC2094 # the console is read while it is written
	at_prompts "$console" "$reboot" "$reboot" "$reboot" "$reboot" "$reboot" exit |
		tools/boot --engine "$ENGINE" --timeout 3600 --interactive "$iso" >"$console"
	output=$(tr -d '\r' <"$console")
	[ "$(grep -cxE "$up" <<<"$output")" -eq 6 ]
	[ "$(grep -cx 'hv: vm linux: reset: it starts again' <<<"$output")" -eq 5 ]
	has 'hv: vm linux: exited with status 0' 'hv: end: status 0'
}

@test "vfio-pci takes edu ten times: DMA both ways, MSI by remapping; each attach and detach is seen" {
	boots 0 "" "$L" "vm linux-vfio $(words linux-vfio)" "$G/linux-vfio.initrd" initrd
	vfio_passed 10
	lacks 'iommu: stale'
	has 'linux-vfio\| vfio: the IOMMU cannot force snooping'
	# A re-attach is two transitions: Linux clears the entry, flushes, writes it, flushes.
	diff <(transitions) - <<-'END'
		boot, translation on|^
		bind|-
		open|-
		GROUP_SET_CONTAINER|v^
		SET_IOMMU|v^
		MAP_DMA|-
		GET_DEVICE_FD|-
		SET_IRQS (MSI)|-
		DMA to the device|-
		DMA to memory|-
		SET_IRQS (off)|-
		close|-
		UNMAP_DMA|-
		UNSET_CONTAINER|v^v^
		unbind|-
		remove|v
		rescan|^
		poweroff|v
	END
}
