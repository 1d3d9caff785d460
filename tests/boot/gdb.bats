#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# gdb on a guest (make gdb GUEST=name): registers, memory, breakpoints, continue and step, through the
# stub on the second serial port; and the guest ends as it would have without.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# debugs FILE "WORDS" COMMAND...: gdb with these commands on that guest, of guest/.
debugs() {
	local name=$1 words=$2 command commands=()
	shift 2
	for command in "$@"; do
		commands+=(-ex "$command")
	done
	make_iso gdb "$G/$name.elf" "$words"
	BUILD=$BATS_TEST_TMPDIR/build run --separate-stderr tools/gdb --guest "$iso" "$G/$name.elf64" -batch "${commands[@]}"
	console=$(cat "$BATS_TEST_TMPDIR/build/gdb.console")
	[ "$status" -eq 0 ] || { echo "$stderr"; show; return 1; }
}

@test "a breakpoint in guest_main, its caller, a step, and on to the end" {
	debugs hello "vm t mem=32M --" "info registers rip cs" "break guest_main" "continue" "bt 2" "stepi" "stepi" "delete" "continue"
	grep -q '^rip  *0x1000[0-9a-f]* ' <<<"$output" && grep -q '^cs  *0x8 ' <<<"$output"
	grep -q '^Breakpoint 1, guest_main () at guest/hello/hello.c' <<<"$output"
	grep -q '^#1 .* in guest_start .* at guest/lib/start.c' <<<"$output"
	grep -q 'exited normally' <<<"$output"
	grep -qx 'hv: vm t: exited with status 0' <<<"$console"
}

@test "memory and registers are read and written: a guest that is told to end with another status" {
	debugs hello "vm t mem=32M --" "break guest_main" "continue" "x/2xb 0x100000" \
		"set var *(int *)0x1800000 = 0x12345678" "x/xw 0x1800000" "x/xb 0xffffff0000000000" \
		"set var \$rbx = 0x77" "info registers rbx" "delete" "break guest_exit" "continue" "set var \$rdi = 5" "delete" "continue"
	grep -q '^0x1800000:.*0x12345678$' <<<"$output"
	grep -q "rbx  *0x77 " <<<"$output"
	grep -q 'exited with code 05' <<<"$output"
	[[ $stderr == *"Cannot access memory at address 0xffffff0000000000"* ]]
	grep -qx 'hv: vm t: exited with status 5' <<<"$console"
}

@test "a breakpoint that is passed many times stops each time, and single steps end on instructions" {

	debugs hello "vm t mem=32M --" "break printf" "continue" "continue" "continue" "info breakpoints"
	grep -q 'breakpoint already hit 3 times' <<<"$output"
}

@test "a guest that steps itself is stepped through its step and into the handler, and sees nothing of it" {
	debugs faults "vm t mem=32M -- debug" "break single_step" "continue" "stepi 6" "x/i \$rip" "stepi 40" \
		"delete" "break int1" "continue" "kill"
	grep -q '^=> .*<exception_stubs+18>' <<<"$output" # #DB's, whose handler begins at +16
	grep -q '^Breakpoint 2, int1 ' <<<"$output"
	grep -qx 't| ok 4 .*' <<<"$console"
}

@test "two vCPUs on two CPUs: a breakpoint stops either, with its registers; steps are of the one that stopped" {
	CPUS=2 debugs smp "vm t mem=64M iommu=on dev=edu cpus=2 -- deaf rounds=2" "break spin_deaf" "continue" "info registers rdi" \
		"bt 1" "stepi" "stepi" "delete" "break device_detach" "continue" "bt 1" "delete" "continue"
	grep -q '^Breakpoint 1, spin_deaf (id=1)' <<<"$output" && grep -q '^rdi  *0x1 ' <<<"$output"
	grep -q '^Breakpoint 2[.0-9]*, device_detach ()' <<<"$output"
	grep -q 'exited normally' <<<"$output"
	grep -qx 'hv: vm t: exited with status 0' <<<"$console"
}

@test "two vCPUs that meet one breakpoint at once stop one after the other, and both go on from it" {
	CPUS=2 debugs smp "vm t mem=64M iommu=on dev=edu cpus=2 --" "break read_clock" "break test_rom" "break test_tables" \
		"continue" "continue" "continue" "kill"
	[ "$(grep -o '^Breakpoint [0-9.]*, [a-z_]* (.*)' <<<"$output" | sort)" = "$(printf '%s\n' 'Breakpoint 1, read_clock (id=0)' \
		'Breakpoint 1, read_clock (id=1)' 'Breakpoint 2, test_rom ()')" ]
	grep -qx 't| ok [0-9]* - no CPU reads a TSC below what another read before it.*' <<<"$console"
}

@test "Ctrl-C stops a guest that spins, where it spins; what is left is killed with it" {
	make_iso gdb "$G/faults.elf" "vm t mem=32M -- spin"
	local out=$BATS_TEST_TMPDIR/out gdb
	mkdir -p "$BATS_TEST_TMPDIR/build"
	# In the background of a script SIGINT is ignored: perl takes it back.
	BUILD=$BATS_TEST_TMPDIR/build perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' tools/gdb --guest "$iso" "$G/faults.elf64" -batch \
		-ex "break spin_for_ever" -ex continue -ex delete -ex "echo goes on\n" -ex continue -ex "bt 1" -ex kill >"$out" 2>&1 3>&- &
	gdb=$!
	until grep -q 'goes on' "$out"; do sleep 0.2; done
	sleep 2
	kill -INT "$gdb"
	wait "$gdb" || true
	grep -q 'spin_for_ever () at guest/faults/ends.c' "$out"
	grep -A 3 'goes on' "$out" | grep -q 'SIGTRAP\|spin_for_ever'
	run ! pgrep -f "$BATS_TEST_TMPDIR"
}

@test "make gdb GUEST=name builds, boots and debugs it; a GUEST without symbols is refused" {
	MAKEFLAGS='' run --separate-stderr -0 make --no-print-directory gdb GUEST=hello ARGS=one \
		GDB='-batch -ex "break guest_main" -ex continue -ex delete -ex continue'
	[[ $output == *"Breakpoint 1, guest_main ()"*"exited normally"* ]]
	grep -q 'My command line is "hello one".' "$BUILD/gdb.console"
	MAKEFLAGS='' run --separate-stderr -2 make --no-print-directory gdb GUEST="hello mmio"
	[[ $stderr == *"make gdb: GUEST=hello mmio: expected one name"* ]]
}
