# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Whether this host can run a hypervisor under QEMU and KVM. Sourced by tools/boot and tools/need;
# it only looks, and never loads a module or changes a setting.

# Print what this host lacks for `qemu-system-x86_64 -enable-kvm -cpu host` with VMX in the guest;
# nothing when it lacks nothing.
kvm_lacks() {
	local nested=/sys/module/kvm_intel/parameters/nested
	if ! grep -qsw vmx /proc/cpuinfo; then
		echo "the CPU shows no VMX"
	elif [ ! -e /dev/kvm ]; then
		echo "there is no /dev/kvm (is the module kvm_intel loaded?)"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "no permission to open /dev/kvm (is the user in the group kvm?)"
	elif ! grep -qs '^[Y1]' "$nested"; then
		echo "nested VMX is off (load kvm_intel with nested=1)"
	fi
}
