#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # variables that bats sets
# The engine nested keeps the contract: several images in one boot of its Linux, the one that hangs
# ended alone. tests/boot/kernel stands in for the hypervisor.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export TMPDIR="$BATS_TEST_TMPDIR/tmp"
	mkdir "$TMPDIR"
	nasm -f elf32 -o "$TMPDIR/kernel.o" tests/boot/kernel/kernel.asm
	ld -m elf_i386 -n -N --no-warn-rwx-segments -Ttext 0x100000 -o "$TMPDIR/kernel.elf" "$TMPDIR/kernel.o"
	local verb
	for verb in 0 1 h r; do
		tools/iso "$TMPDIR/$verb.iso" "$TMPDIR/kernel.elf" "act $verb"
	done
}

@test "nested: in one boot a hang, a reset and statuses 1 and 0 are told apart" {
	run --separate-stderr -124 tools/boot --engine nested --timeout 60 \
		"$TMPDIR"/{1,h,r,0}.iso
	[ "$output" = "== $TMPDIR/1.iso
hv: options: act 1
hv: end: status 1
== $TMPDIR/h.iso
hv: options: act h

== timeout
== $TMPDIR/r.iso
hv: options: act r
== $TMPDIR/0.iso
hv: options: act 0
hv: end: status 0" ]
	[[ $stderr == *"timeout: $TMPDIR/h.iso was ended"* ]]
	[[ $stderr == *"$TMPDIR/r.iso ended without a last line"* ]]
}

@test "nested: --trace keeps what came out of the inner port 0xe9, whole; a script for the monitor" {
	local build=${BUILD:-build}
	tools/iso "$TMPDIR/m.iso" "$build/leafcutter.elf" "trace=exits stop=entry" "$build/guest/hello.elf" "vm t mem=32M --"
	run -0 tools/boot --engine nested --timeout 600 --interactive --trace "$TMPDIR/trace" "$TMPDIR/m.iso" <<<$'vms\nwalk 0x100000\ncontinue'
	grep -qx 'hv: t> walk 0x100000' <<<"$output"
	grep -qx 'hv:   count 0, CR0.CD 0, no noncoherent DMA: WB + ignore PAT; .*' <<<"$output"
	grep -qx 'hv: vm t: exited with status 0' <<<"$output"
	run --separate-stderr -0 tools/trace --summary "$TMPDIR/trace"
	[ -z "$stderr" ] && [[ $output == *" I/O "* ]]
}
