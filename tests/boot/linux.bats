#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Debian's stock kernel as a guest: it comes up, its drivers find the machine they know, it is typed at,
# and it ends as it should.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	L=$BUILD/linux/vmlinuz
	I=$G/linux.initrd
}

# linux STATUS "HYPERVISOR WORDS" "KERNEL WORDS": boots it as `make run` does.
linux() {
	boots "$1" "$2" "$L" "vm linux $(words linux) $3" "$I" initrd
}

up='init: Linux [0-9.]+-[0-9]+-cloud-amd64 is up, 1 CPU, [0-9]+ kB'

@test "Linux comes up quietly, attaches its device and powers off: status 0" {
	linux 0 "" "quiet -- cat /proc/interrupts /proc/uptime"
	has "linux\| $up" 'linux\| \[.*\] reboot: Power down' 'hv: vm linux: exited with status 0' \
		'hv: vm linux: device 00:02.0 attached, noncoherent' \
		'hv: vm linux: device 00:02.0 detached, was noncoherent' 'hv: end: status 0'
	has 'linux\| +LOC: +[0-9]{4} .*' 'linux\| +ERR: +0' 'linux\| +MIS: +0'
	# Nothing but these lines: what Linux warns of, it says although it is told to be quiet.
	lacks 'linux\| \[.*(WARN|BUG|Oops|rror|fail|Call Trace)'
}

@test "Linux's reboot is a reset, and the run's status 1" {
	linux 1 "" "quiet -- reboot -f"
	has "linux\| $up" 'hv: vm linux: killed: reset' 'hv: end: status 1'
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

@test "console=guest: the shell at the terminal is the guest's, Ctrl-A stays the hypervisor's" {
	make_iso "console=guest" "$L" "vm linux $(words linux) quiet" "$I" initrd
	local console=$BATS_TEST_TMPDIR/console
	: >"$console"
	# To the guest's shell Ctrl-A is the way to the line's beginning.
	# shellcheck disable=SC2094 # the console is read while it is written
	at_prompts "$console" $'\x01w42\x01\x01echo typed ' exit |
		tools/boot --engine "$ENGINE" --interactive "$iso" >"$console"
	output=$(tr -d '\r' <"$console")
	has 'hv: console of linux, Ctrl-A h for help' "$up" 'typed 42' \
		'hv: vm linux: vcpu 0: rip .*' 'hv: vm linux: exited with status 0'
	lacks '^linux\|'
}

@test "reset=restart: five reboots of Linux, each a machine as new" {
	long
	make_iso "console=guest" "$L" "vm linux reset=restart $(words linux) quiet" "$I" initrd
	local console=$BATS_TEST_TMPDIR/console reboot='reboot -f'
	: >"$console"
	# shellcheck disable=SC2094 # the console is read while it is written
	at_prompts "$console" "$reboot" "$reboot" "$reboot" "$reboot" "$reboot" exit |
		tools/boot --engine "$ENGINE" --timeout 3600 --interactive "$iso" >"$console"
	output=$(tr -d '\r' <"$console")
	[ "$(grep -cxE "$up" <<<"$output")" -eq 6 ]
	[ "$(grep -cx 'hv: vm linux: reset: it starts again' <<<"$output")" -eq 5 ]
	has 'hv: vm linux: exited with status 0' 'hv: end: status 0'
}

# steps: of the console in $output, each step of linux-vfio and what it did to the noncoherent count: ^ for
# 0 -> 1, v for 1 -> 0, - for neither; one line for each step, as it is in every round.
steps() {
	awk '
		/^linux-vfio\| (vfio|init): / {
			if (step != "") print step, marks == "" ? "-" : marks
			step = ""; marks = ""
			sub(/^linux-vfio\| (vfio|init): /, "")
			if (/^(bind|unbind|remove) / || /^(open|close|rescan|SET_IRQS .*|[A-Z_]+|DMA to .*)$/) {
				sub(/ 0000:.*/, ""); gsub(/ /, "-"); step = $0
			}
		}
		/noncoherent count 0 -> 1: cleared/ { marks = marks "^" }
		/noncoherent count 1 -> 0: cleared/ { marks = marks "v" }
	' <<<"$output" | sort | uniq -c | awk '{ print $1, $2, $3 }'
}

@test "vfio-pci takes edu ten times: DMA both ways, MSI by remapping; each attach and detach is seen" {
	long
	boots 0 "" "$L" "vm linux-vfio $(words linux-vfio)" "$G/linux-vfio.initrd" initrd
	lacks 'FAIL'
	lacks 'iommu: stale'
	has 'linux-vfio\| init: all rounds are through' 'linux-vfio\| vfio: the IOMMU cannot force snooping' \
		'linux-vfio\| init: kernel: DMAR-IR: Enabled IRQ remapping in .*' \
		'hv: vm linux-vfio: exited with status 0'
	[ "$(grep -c 'vfio: checksums .*: equal' <<<"$output")" -eq 10 ]
	# A re-attach is two transitions: Linux clears the entry, flushes, writes it, flushes.
	diff <(steps) - <<-'END'
		10 DMA-to-memory -
		10 DMA-to-the-device -
		10 GET_DEVICE_FD -
		10 GROUP_SET_CONTAINER v^
		10 MAP_DMA -
		10 SET_IOMMU v^
		10 SET_IRQS-(MSI) -
		10 SET_IRQS-(off) -
		10 UNMAP_DMA -
		10 UNSET_CONTAINER v^v^
		10 bind -
		10 close -
		10 open -
		10 remove v
		10 rescan ^
		10 unbind -
	END
}
