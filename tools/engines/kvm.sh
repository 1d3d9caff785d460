# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Whether this host can run a hypervisor under QEMU and KVM. Sourced by tools/boot and tools/need;
# it only looks, and never loads a module or changes a setting.

# Print what this host lacks for `qemu-system-x86_64 -enable-kvm -cpu host` with VMX in the guest;
# nothing when it lacks nothing. docs/engines.md says what to do about each.
kvm_lacks() {
	local nested=/sys/module/kvm_intel/parameters/nested
	if ! grep -qsw vmx /proc/cpuinfo; then
		echo "the CPU shows no VMX"
	elif [ ! -e /dev/kvm ]; then
		echo "no /dev/kvm"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "no access to /dev/kvm"
	elif ! grep -qs '^[Y1]' "$nested"; then
		echo "nested VMX is off"
	fi
}
