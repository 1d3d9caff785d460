#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2016 # variables that bats sets; dollars that are meant
# The tools themselves: tools/boot, tools/iso and tools/need keep the contract whatever the machine
# does. tests/boot/kernel stands in for the hypervisor, so these tests, but for those of `make run`,
# need no build.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export PATH="$PWD/tools:$PATH" K="$BATS_FILE_TMPDIR"
	nasm -f elf32 -o "$K/kernel.o" tests/boot/kernel/kernel.asm
	ld -m elf_i386 -n -N --no-warn-rwx-segments -Ttext 0x100000 -o "$K/kernel.elf" "$K/kernel.o"
	local verb
	for verb in 0 1 3 7 e h r t m; do
		iso "$K/$verb.iso" "$K/kernel.elf" "act $verb"
	done
	: >"$K/empty.iso"
}

setup() {
	load boot.bash
	export TMPDIR="$BATS_TEST_TMPDIR/tmp"
	mkdir "$TMPDIR"
}

# Nothing of a run may outlive it: each process of one names its temporary folder.
teardown() {
	[ -z "$(ls "$TMPDIR")" ]
	! pgrep -f "$TMPDIR"
}

# refused WORD ARGUMENT...: tools/boot ends with 2, one line that holds WORD, and no output.
refused() {
	local word=$1
	shift
	run --separate-stderr boot "$@"
	[ "$status" -eq 2 ] && [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 1 ] &&
		[[ $stderr == "tools/boot: "*"$word"* ]]
}

@test "bad usage is one line that names the word, and status 2" {
	refused "no image"
	refused "no-such.iso: no such file" "$K/no-such.iso"
	refused "is empty" "$K/empty.iso"
	refused "tests is a directory: expected an ISO" tests
	refused "no-such.iso: no such file" "$K/0.iso" "$K/no-such.iso"
	refused "several images" --trace "$BATS_TEST_TMPDIR/trace" "$K/0.iso" "$K/1.iso"
	refused "unknown option --frob" --frob "$K/0.iso"
	refused "--cpus lacks its value" "$K/0.iso" --cpus
	refused "--cpus 0: expected a number" --cpus 0 "$K/0.iso"
	refused "--mem 12x: expected a number" --mem 12x "$K/0.iso"
	refused "--timeout -1: expected a number" --timeout -1 "$K/0.iso"
	refused "unknown engine vax: expected auto, bochs, qemu, nested or tcg" --engine vax "$K/0.iso"
	refused "unknown CPU model vax" --engine bochs --cpu-model vax "$K/0.iso"
	refused "--cpus 16: expected at most 15 on Bochs" --engine bochs --cpus 16 "$K/0.iso"
	refused "cannot be written" --trace /proc/no/such "$K/0.iso"
}

@test "the exit status is the one of the console's last line" {
	local n
	for n in 0 1 3; do
		run --separate-stderr -"$n" boot --engine bochs "$K/$n.iso"
		[ "${lines[0]}" = "hv: options: act $n" ]
		[ "${lines[-1]}" = "hv: end: status $n" ]
		[ -z "$stderr" ]
	done
}

@test "several images run one after the other, and the highest status counts" {
	run --separate-stderr -3 boot --engine bochs "$K/0.iso" "$K/m.iso" "$K/1.iso"
	[ "${lines[0]}" = "== $K/0.iso" ]
	[ "${lines[2]}" = "hv: end: status 0" ]
	[ "${lines[3]}" = "== $K/m.iso" ]
	[ "${lines[-1]}" = "hv: end: status 1" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"$K/m.iso ended without a last line"* ]]
	run --separate-stderr -1 boot --engine bochs "$K/0.iso" "$K/1.iso"
	[ -z "$stderr" ]
}

@test "--cpu-model chooses the CPU" {
	run --separate-stderr -1 boot --engine bochs --cpu-model tigerlake "$K/1.iso"
	[ -z "$stderr" ]
}

@test "a last line with a status outside the contract is a failure" {
	run --separate-stderr -3 boot --engine bochs "$K/7.iso"
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a machine that resets is ended at once, with status 3" {
	run --separate-stderr -3 boot --engine bochs "$K/r.iso"
	[[ $stderr == *"the machine was reset"* ]]
	[ "$(grep -c 'hv: options' <<<"$output")" -eq 1 ]
}

@test "a triple fault of the machine is status 3 and says so" {
	run --separate-stderr -3 boot --engine bochs "$K/t.iso"
	[[ $stderr == *"3rd (13) exception"* ]]
}

# A BIOS of 128 KiB that at its first instruction loads an IDT without entries, then INT3.
make_broken_bios() {
	head -c 131072 /dev/zero >"$1"
	printf '\x2e\x0f\x01\x1e\xf8\xff\xcc' | dd of="$1" bs=1 seek=$((131072 - 16)) conv=notrunc status=none
}

@test "a BIOS that triple-faults before it boots: the other one is tried, and remembered" {
	local share=$BATS_TEST_TMPDIR/share
	mkdir "$share"
	cp /usr/share/bochs/{BIOS-bochs-legacy,VGABIOS-lgpl-latest} "$share/"
	make_broken_bios "$share/BIOS-bochs-latest"
	export BXSHARE=$share BUILD=$BATS_TEST_TMPDIR/build
	run --separate-stderr -1 boot --engine bochs "$K/1.iso"
	[ "$output" = $'hv: options: act 1\nhv: end: status 1' ] && [ -z "$stderr" ]
	[ "$(cat "$BUILD/bochs-bios")" = BIOS-bochs-legacy ]
	run --separate-stderr -1 boot --engine bochs --keep "$BATS_TEST_TMPDIR/kept" "$K/1.iso"
	grep -q "$share/BIOS-bochs-legacy" "$BATS_TEST_TMPDIR/kept/bochsrc.first"
	# With none that works the end is as at any triple fault, and nothing is remembered.
	cp "$share/BIOS-bochs-latest" "$share/BIOS-bochs-legacy"
	rm "$BUILD/bochs-bios"
	run --separate-stderr -3 boot --engine bochs "$K/1.iso"
	[[ $stderr == *"3rd (13) exception"* ]] && [ ! -e "$BUILD/bochs-bios" ]
}

@test "a machine that ends without a last line is status 3" {
	run --separate-stderr -3 boot --engine bochs "$K/m.iso"
	[[ $stderr == *"without a last line"* ]]
}

@test "a machine that hangs is ended after the timeout with status 124" {
	local seconds
	for seconds in 4 30 200; do # a busy host may need long to come that far
		run --separate-stderr -124 boot --engine bochs --timeout "$seconds" "$K/h.iso"
		[ -z "$output" ] || break
	done
	[ "$output" = "hv: options: act h" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "the console is live, and SIGTERM ends everything" {
	boot --engine bochs "$K/h.iso" >"$BATS_TEST_TMPDIR/console" 3>&- &
	local pid=$! status=0
	shows 'hv: options: act h' "$BATS_TEST_TMPDIR/console"
	kill -0 "$pid"
	grep -q 'hv: options: act h' "$BATS_TEST_TMPDIR/console"
	kill -TERM "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq 143 ]
}

@test "nothing outlives tools/boot that is killed with -9, nor tools/boot its parent" {
	local victim parent
	for victim in boot parent; do
		bash -c 'boot --engine bochs "$K/h.iso" & echo $! >"$TMPDIR.pid"; wait' \
			>"$BATS_TEST_TMPDIR/$victim" 2>&1 3>&- &
		parent=$!
		shows 'hv: options: act h' "$BATS_TEST_TMPDIR/$victim"
		[ "$victim" = parent ] || parent=$(<"$TMPDIR.pid")
		kill -KILL "$parent"
		while pgrep -f "$TMPDIR/" >/dev/null || [ -n "$(ls "$TMPDIR")" ]; do
			sleep 0.1
		done
	done
}

@test "--interactive passes 4 KiB pasted to COM1, each byte, and Ctrl-D behind them" {
	local engine
	seq 1 1000 >"$BATS_TEST_TMPDIR/paste" # with what the console says: 4 KiB
	for engine in bochs tcg; do
		boot --engine "$engine" --interactive "$K/e.iso" <"$BATS_TEST_TMPDIR/paste" >"$BATS_TEST_TMPDIR/out"
		diff "$BATS_TEST_TMPDIR/out" <(echo 'hv: options: act e'; seq 1 1000; echo 'hv: end: status 0')
	done
	refused "not on the engine nested" --interactive --engine nested "$K/e.iso" "$K/0.iso"
}

@test "without input nothing is typed, and Ctrl-D only once the monitor asks or a guest has the console" {
	local asks console=$BATS_TEST_TMPDIR/console
	run -124 boot --engine bochs --timeout 5 "$K/e.iso" # it would end at a Ctrl-D
	for asks in 'hv: demo> ' $'hv: console of demo, Ctrl-A h for help\nls'; do
		printf 'hv: options: x\nhv: monitor: stopped\ndemo| hv: a> ' >"$console"
		run -124 timeout 0.5 perl tools/engines/keys.pl "$console" asked </dev/null
		[ -z "$output" ]
		printf '\n%s' "$asks" >>"$console"
		run -0 perl tools/engines/keys.pl "$console" asked </dev/null
		[ "$output" = $'\x04' ]
	done
}

@test "at a terminal keys reach COM1 one by one, and the terminal is left as it was" {
	at_terminal 'act e' 'hello\004' "boot --engine bochs '$K/e.iso'; stty -a"
	[[ $output == *$'hv: options: act e\nhellohv: end: status 0'* ]] || { echo "$output"; return 1; }
	[[ $output == *" icanon "* && $output == *" echo "* && $output == *" icrnl "* ]]
}

@test "Ctrl-C ends the run with 130" {
	at_terminal 'act h' '\003' "boot --engine bochs '$K/h.iso'"
	[ "$status" -eq 130 ]
}

@test "colours for ok and FAIL at a terminal; none in a pipe, none with NO_COLOR" {
	local red=$'\e[1;31mFAIL\e[m' plain='hv: options: FAIL 0'
	iso "$BATS_TEST_TMPDIR/f.iso" "$K/kernel.elf" 'FAIL 0'
	at_terminal 'status 0' '' "boot --engine bochs '$BATS_TEST_TMPDIR/f.iso'"
	[[ $output == *"hv: options: $red 0"* ]] || { echo "$output"; return 1; }
	at_terminal 'status 0' '' "NO_COLOR=1 boot --engine bochs '$BATS_TEST_TMPDIR/f.iso'"
	[[ $output == *"$plain"* ]]
	run -0 boot --engine bochs "$BATS_TEST_TMPDIR/f.iso"
	[ "${lines[0]}" = "$plain" ]
	run colour <<<$'a| ok 1 - ok\nok 2\na| okay\na| FAIL 3\na| unfinished'
	[ "$output" = $'a| \e[32mok\e[m 1 - ok\n\e[32mok\e[m 2\na| okay\na| '"$red"$' 3\na| unfinished' ]
}

@test "when the console's reader goes away the machine ends, without a word, with 141" {
	run -141 bash -c 'set -o pipefail; boot --engine bochs "$K"/{0,0,0,0,0,0,0,0,0,0}.iso 2>&1 | true'
	run -141 bash -c 'set -o pipefail; boot --engine bochs "$K/0.iso" "$K/m.iso" "$K/1.iso" 2>"$TMPDIR.err" | head -n 3'
	[ "${lines[2]}" = 'hv: end: status 0' ]
	[ ! -s "$TMPDIR.err" ]
}

# A machine that connects late, writes its whole console and ends, while console.pl, on a busy host, is
# between its look for something to read and its look for the machine's end.
@test "a place that cannot be written to is named, and is no fault of the hypervisor" {
	run -2 bash -c 'boot --engine bochs "$K/0.iso" 2>&1 >&-'
	[ "$output" = "tools/boot: standard output is closed: expected a terminal, a pipe or a file" ]
	run -3 bash -c 'boot --engine bochs "$K"/{0,0,0,0,0,0,0,0,0,0}.iso 2>&1 >/dev/full'
	[ "${lines[0]}" = "tools/boot: standard output cannot be written: is the disk full?" ]
	run -2 env TMPDIR=/nonexistent tools/boot --engine bochs "$K/0.iso"
	[ "$output" = "tools/boot: TMPDIR=/nonexistent: expected a folder that can be written" ]
}

@test "what a machine wrote before it ended is not lost on a busy host" {
	local dir=$BATS_TEST_TMPDIR/run
	mkdir "$dir"
	mkfifo "$dir/log.fifo"
	echo "com1: dev=127.0.0.1:PORT" >"$dir/bochsrc"
	cat >"$dir/machine" <<-'END'
		select undef, undef, undef, 0.5;
		open my $file, "<", shift;
		my ($port) = <$file> =~ /:(\d+)$/;
		my $console = IO::Socket::INET->new("127.0.0.1:$port");
		print $console "hv: end: status 0\n";
	END
	cat >"$dir/slow" <<-'END'
		BEGIN {
			*CORE::GLOBAL::waitpid = sub { select undef, undef, undef, 2; CORE::waitpid($_[0], $_[1]) };
		}
		do "./tools/engines/console.pl" or die $@;
	END
	run perl "$dir/slow" "$dir" perl -MIO::Socket::INET "$dir/machine" "$dir/bochsrc" </dev/null
	[ "$output" = 'hv: end: status 0' ]
}

@test "runs at the same time do not meet" {
	local n pid pids=()
	for n in 0 1 3; do
		boot --engine bochs "$K/$n.iso" >"$BATS_TEST_TMPDIR/$n" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || true
	done
	for n in 0 1 3; do
		grep -qx "hv: end: status $n" "$BATS_TEST_TMPDIR/$n"
	done
}

@test "--trace keeps what came out of port 0xe9, and only that" {
	local engine
	for engine in bochs tcg; do
		run -0 boot --engine "$engine" --trace "$BATS_TEST_TMPDIR/trace" "$K/0.iso"
		[ "$(cat "$BATS_TEST_TMPDIR/trace")" = $'trace: one\ntrace: two' ]
	done
}

@test "the engine tcg keeps the same statuses" {
	run -1 boot --engine tcg "$K/1.iso"
	[ "${lines[-1]}" = "hv: end: status 1" ]
	run -3 boot --engine tcg "$K/r.iso"
	run -124 boot --engine tcg --timeout 3 "$K/h.iso"
}

@test "the engine qemu says what the host lacks and what to take instead" {
	[ ! -r /sys/module/kvm_intel/parameters/nested ] || skip "this host has kvm_intel"
	refused "take bochs or nested" --engine qemu "$K/0.iso"
}

@test "make run with an engine that cannot run here: that line and make's own, nothing booted" {
	[ ! -r /sys/module/kvm_intel/parameters/nested ] || skip "this host has kvm_intel"
	MAKEFLAGS='' run --separate-stderr -2 make --no-print-directory run ENGINE=qemu
	[[ $output != *hv:* ]]
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ ${stderr_lines[0]} == "tools/boot: engine qemu cannot run here: "*"; take bochs or nested" ]]
}

@test "make run passes ARGS on as they are, whatever quotes they hold" {
	MAKEFLAGS='' run --separate-stderr -0 make --no-print-directory run ENGINE=bochs GUEST=hello \
		ARGS="it's \"so\" <&1"
	[[ $output == *'My command line is "hello it'"'"'s "so" <&1".'* ]]
}

@test "auto says on standard error what it chose" {
	run --separate-stderr -1 boot "$K/1.iso"
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "tools/boot: engine "* ]]
}

@test "GRUB gets every word of a line as it was written" {
	iso "$BATS_TEST_TMPDIR/w.iso" "$K/kernel.elf" 'a=$x {b} #c ; 0' \
		"$K/kernel.o" 'vm one mem=64M --  <x> |   & %s * ' "$K/kernel.o" initrd
	run -0 boot --engine bochs "$BATS_TEST_TMPDIR/w.iso"
	[ "${lines[0]}" = 'hv: options: a=$x {b} #c ; 0' ]
	[ "${lines[1]}" = 'hv: module: vm one mem=64M --  <x> |   & %s * ' ]
	[ "${lines[2]}" = 'hv: module: initrd' ]
}

@test "GRUB that cannot load a module says so and the run ends" {
	truncate -s 40M "$BATS_TEST_TMPDIR/big"
	iso "$BATS_TEST_TMPDIR/big.iso" "$K/kernel.elf" 0 "$BATS_TEST_TMPDIR/big" 'vm big'
	run --separate-stderr -3 boot --engine bochs --mem 32 "$BATS_TEST_TMPDIR/big.iso"
	[[ $output == *"too little memory"* ]]
}

@test "tools/gdb stops at the entry, with symbols" {
	objcopy -I elf32-i386 -O elf64-x86-64 "$K/kernel.elf" "$K/kernel64.elf"
	PATH=${PATH#"$PWD/tools:"} run -0 tools/gdb "$K/0.iso" "$K/kernel64.elf" -batch -ex "stepi" -ex "info registers rip"
	[[ $output == *"Breakpoint 1, "*" in _start ()"*"<_start+1>"* ]]
}

@test "tools/iso refuses bad usage with status 2" {
	run -2 iso "$BATS_TEST_TMPDIR/x.iso" "$K/kernel.elf"
	run -2 iso "$BATS_TEST_TMPDIR/x.iso" "$K/no-such.elf" ""
	run -2 iso "$BATS_TEST_TMPDIR/x.iso" "$K/kernel.elf" "" "$K/no-such.elf" "vm a"
	run -2 iso "$BATS_TEST_TMPDIR/x.iso" "$K/kernel.elf" $'two\nlines'
	[ ! -e "$BATS_TEST_TMPDIR/x.iso" ]
}

@test "tools/need says what it installs before apt is done, and how far it is" {
	local fake=$BATS_TEST_TMPDIR/fake out=$BATS_TEST_TMPDIR/need
	mkdir "$fake"
	mkfifo "$fake/go"
	printf '%s\n' '#!/bin/sh' 'exit 0' >"$fake/dpkg-query" # nothing is installed
	printf '%s\n' '#!/bin/sh' 'echo "pmstatus:gdb:10.0:Unpacking" >&3' "cat $fake/go" \
		'echo "pmstatus:gdb:60.5:Unpacking" >&3' >"$fake/apt-get"
	printf '%s\n' '#!/bin/sh' 'exec "$@"' >"$fake/sudo"
	chmod +x "$fake"/{dpkg-query,apt-get,sudo}
	PATH="$fake:$PATH" need gdb >"$out" 3>&- &
	shows 'tools/need: installing .*gdb' "$out"
	run -1 grep installed "$out"
	: >"$fake/go"
	wait $!
	[ "$(sed -n '2,$p' "$out")" = "tools/need: 60 % installed
tools/need: installed qemu-system-x86 seabios gdb" ]
}

@test "tools/need is silent when nothing lacks and refuses an unknown set" {
	run -0 need build
	[ -z "$output" ]
	run -2 need no-such-set
	[[ $output == *"no-such-set"* ]]
}
