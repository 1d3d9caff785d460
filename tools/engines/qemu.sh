# shellcheck shell=bash disable=SC2154 # the variables of tools/boot: dir, image, mem, cpus, ...
# SPDX-License-Identifier: MIT
# The engines qemu (QEMU on the host's KVM) and tcg (QEMU without KVM, for the test that must end
# with the missing-VMX line). Sourced by tools/boot; the engine nested takes its options from here,
# so that both run the very same command.

# Print, one per line, QEMU's options for the machine but for what makes the CPU: $1 memory in MiB,
# $2 CPUs, $3 the ISO as QEMU sees it, $4 where port 0xe9 goes (may be empty).
# -nodefaults and -vga none: no network card or display whose ROM would have to be run first. The
# ISO is a virtio disk because firmware reads that with the fewest exits: under the nested KVM of
# the engine nested GRUB is done in half the time a CD-ROM takes.
qemu_machine() {
	printf '%s\n' -nodefaults -vga none -display none -no-reboot \
		-m "$1" -smp "$2" -serial stdio -drive "file=${3//,/,,},format=raw,if=virtio,readonly=on" \
		-device isa-debug-exit,iobase=0xf4,iosize=1
	[ -z "$4" ] || printf '%s\n' -debugcon "file:${4//,/,,}"
}

qemu_kvm_cpu() {
	printf '%s\n' -enable-kvm -cpu host
}

qemu_tcg_cpu() {
	printf '%s\n' -accel tcg -cpu max
}

qemu_check() {
	local lacks
	lacks=$(kvm_lacks)
	[ -z "$lacks" ] || fail 2 "engine qemu cannot run here: $lacks; take bochs or nested"
	tcg_check
}

qemu_run() {
	local options
	mapfile -t options < <(qemu_kvm_cpu; qemu_machine "$mem" "$cpus" "$image" "$trace")
	exec setpriv --pdeathsig KILL qemu-system-x86_64 "${options[@]}" 2>"$dir/log"
}

# What QEMU itself complained about, if anything.
qemu_why() {
	tail -n 1 "$dir/log" 2>/dev/null
}

tcg_check() {
	command -v qemu-system-x86_64 >/dev/null ||
		fail 2 "qemu-system-x86_64 is missing: run tools/need qemu"
}

tcg_run() {
	local options
	mapfile -t options < <(qemu_tcg_cpu; qemu_machine "$mem" "$cpus" "$image" "$trace")
	exec setpriv --pdeathsig KILL qemu-system-x86_64 "${options[@]}" 2>"$dir/log"
}

tcg_why() {
	qemu_why
}
