#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC2016 # variables that bats sets; dollars that are meant
# What a user does by make: its variables, its words, several runs at once, and what is left of one
# that was killed. All in a copy of the tree, with what has been built, so that nothing meets the
# other tests.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	export TREE=$BATS_FILE_TMPDIR/tree
	mkdir -p "$TREE/build/guest"
	git ls-files -z | xargs -0 cp -p --parents -t "$TREE"
	cp -a "$BUILD"/{image,gen,leafcutter.*} "$TREE/build/"
	cp -a "$BUILD"/guest/{*.elf*,obj,libguest.a} "$TREE/build/guest/"
	unset MAKEFLAGS MAKELEVEL BUILD ENGINE
}

setup() {
	cd "$TREE" || return
	load boot.bash
	unset BUILD ENGINE
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
}

# Nothing of a run may outlive it: each process of one names its temporary folder.
teardown() {
	gone
	[ -z "$(ls "$TMPDIR")" ]
}

# gone: wait until no process names the temporary folder (the test's timeout is the end of it).
gone() {
	while pgrep -f "$TMPDIR" >/dev/null; do
		sleep 0.1
	done
}

# makes STATUS ARGUMENT...: make ends with it; $output and $stderr are what it said.
makes() {
	local expected=$1
	shift
	run --separate-stderr make --no-print-directory "$@"
	[ "$status" -eq "$expected" ] || { printf '%s\n' "$status" "$output" "$stderr"; return 1; }
}

# refuses WORD ARGUMENT...: make ends with 2 after one line of its own that holds the word, and boots
# nothing. (Where a recipe refuses, make adds its own line.) It has 80 columns, beside the user's own words.
refuses() {
	local word=$1
	shift
	makes 2 "$@"
	[[ ${stderr_lines[0]} == *"$word"* && $output != *hv:* ]] || { echo "$stderr"; return 1; }
	[ "${#stderr_lines[@]}" -eq 1 ] || [[ ${stderr_lines[-1]} == make:* ]]
	[ "$(sed "s/'[^']*'//g; s/one of .*//" <<<"$stderr" | awk 'length > 80')" = "" ] || { echo "$stderr"; return 1; }
}

@test "four runs at once, with something to build, boot four guests" {
	local word pids=() pid
	rm build/guest/hello.elf* build/guest/obj/guest/hello/*.o build/image/hv/main.o build/leafcutter.*
	for word in one two three four; do
		make run ENGINE=bochs GUEST=hello ARGS="$word" >"$BATS_TEST_TMPDIR/$word" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	for word in one two three four; do
		[ "$(grep -c 'My command line is' "$BATS_TEST_TMPDIR/$word")" -eq 1 ]
		grep -qx "hello| My command line is \"hello $word\"." "$BATS_TEST_TMPDIR/$word"
	done
	[ "$(ls build/*.iso build/run 2>/dev/null)" = "" ]
}

@test "a file asked for by its name is built under the same lock" {
	local pid
	rm build/guest/hello.elf
	flock Makefile sleep 4 3>&- &
	pid=$!
	sleep 0.5
	makes 0 build/guest/hello.elf guests
	[ -e build/guest/hello.elf ]
	[[ $stderr == *"another make builds in this tree"* ]]
	wait "$pid"
}

# memtest86+'s has one, once tests/all/others.bats has unpacked it.
@test "a folder whose name ends as those of make's dependencies do is none" {
	mkdir -p build/others/etc/grub.d build/some.d
	run -0 make --no-print-directory build/leafcutter.elf
}

@test "a guest that does not compile is in the way of no other; what was built of a deleted one goes" {
	mkdir guest/half
	echo 'int main(void) { return 0; }' >guest/half/main.c
	cp build/guest/hello.elf build/guest/half.elf
	echo 'this is no C' >guest/half/main.c
	makes 0 run ENGINE=bochs GUEST=hello
	makes 2 run ENGINE=bochs GUEST=half
	[[ $output != *hv:* && $stderr == *guest/half/main.c* ]]
	rm -r guest/half
	cp build/guest/hello.elf build/guest/half.elf
	makes 0
	[ ! -e build/guest/half.elf ] && [ -e build/guest/hello.elf ]
	makes 2 run GUEST=half
	[[ ${stderr_lines[0]} == "make run: GUEST=half: no such guest; expected"* ]]
	[ "$(awk 'length > 80' <<<"$stderr")" = "" ]
}

@test "a variable that make help does not list is refused by its name" {
	refuses "unknown variable 'guest'" guest=hello
	refuses "unknown variable 'ENGIEN'" run ENGIEN=bochs
	refuses "make gdb takes no TRACE=" gdb GUEST=hello TRACE=file
	refuses "make gdb takes no ENGINE=" gdb ENGINE=bochs
	refuses "make run takes no GPA=" run GPA=5
	refuses "make explain takes no GUEST=" explain GPA=5 GUEST=hello
	refuses "make takes no GUEST=" GUEST=hello
	refuses "BUILD='a b'" BUILD='a b'
	refuses "BUILD=''" clean BUILD=
	refuses "ENGINE='vax'" run ENGINE=vax
	refuses "ENGINE='bochs qemu'" run ENGINE='bochs qemu'
}

@test "a number that is none, or out of its range, is refused by its variable's name" {
	local word
	for word in CPUS=0 CPUS=65 MEM=15 MEM=12x TIMEOUT=1s TIMEOUT= FUZZ_SECONDS=0 FUZZ_SECONDS=5m MODEL_OPS=-1 \
		MODEL_OPS=100000000000000 MODEL_SEED=0x1 'MODEL_SEED=1 2' N=1 N=6 LEVELS=5 BITS=4 'N=$(shell echo 3)'; do
		refuses "${word%%=*}='${word#*=}': expected a number from " guests "$word"
	done
	makes 0 built CPUS=064 MODEL_SEED=99999999999999
}

@test "BUILD is a folder of its own: no sources are in it, and clean removes none that make did not make" {
	local place
	for place in . .. / "$TREE" guest hv/exits ./tests; do
		refuses "BUILD='$place' has sources" clean BUILD="$place"
	done
	refuses "BUILD='README.md' is a file" help BUILD=README.md
	mkdir -p "$BATS_TEST_TMPDIR/other/mine"
	refuses "was not made here" clean BUILD="$BATS_TEST_TMPDIR/other"
	[ -d "$BATS_TEST_TMPDIR/other/mine" ]
	makes 0 BUILD="$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/new/image/lib/utf8.o"
	makes 0 clean BUILD="$BATS_TEST_TMPDIR/new"
	[ ! -e "$BATS_TEST_TMPDIR/new" ]
	run --separate-stderr make -f "$TREE/Makefile" -C / help
	[[ $status -eq 2 && $stderr == *"make works in its own folder: make -C $TREE/."* ]]
}

@test "a goal that is none is refused before anything is done for the others" {
	refuses "no target 'hello': see make help, or make run GUEST=hello" run hello
	refuses "no target 'nosuch': see make help" build/leafcutter.elf nosuch
	refuses "no unit test 'nosuch': expected one of test_" clean unit-nosuch
	refuses "no unit test 'mtrr': expected test_mtrr" unit-mtrr
	refuses "no fuzzer 'nosuch': expected one of boot " fuzz-nosuch
	run --separate-stderr -2 tools/lint left nosuch
	[[ -z $output && $stderr == "tools/lint: unknown check 'nosuch': expected some of format "*" left "* ]]
}

@test "a GUEST or an INITRD that is none is refused by its name before anything is built" {
	refuses "GUEST=guest/hello is a directory" run GUEST=guest/hello
	refuses "GUEST=no/such.elf: no such file" run GUEST=no/such.elf
	refuses "GUEST is empty" run GUEST=
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	refuses "no plain file" run GUEST="$BATS_TEST_TMPDIR/pipe"
	refuses "INITRD=no-such: no such file" run GUEST=hello INITRD=no-such
	refuses "INITRD=guest is a directory: expected a file" run GUEST=hello INITRD=guest
}

@test "make gdb on what it cannot stop in says what it can, before anything is built" {
	local guest
	for guest in nosuch linux 'hello mmio' build/guest/hello.elf; do
		makes 2 gdb GUEST="$guest"
		[[ ${stderr_lines[0]} == "make gdb: GUEST=$guest: expected one name, of "* ]]
		[ "$(awk 'length > 80' <<<"$stderr")" = "" ]
	done
}

@test "a trace that goes nowhere is said" {
	makes 0 run ENGINE=bochs GUEST=hello HV="check trace=events"
	[ "$stderr" = "make run: HV has a trace and TRACE is empty: expected TRACE=file for it to go to" ]
}

@test "HV, INITRD and several guests, each with its defaults" {
	local sum
	head -c 10001 /dev/urandom >"$BATS_TEST_TMPDIR/my file"
	sum=$(od -An -v -tu1 "$BATS_TEST_TMPDIR/my file" | awk '{ for (i = 1; i <= NF; i++) s += $i } END { print s }')
	makes 0 run ENGINE=bochs GUEST='hello contract hello' HV=check INITRD="$BATS_TEST_TMPDIR/my file" \
		ARGS="mem=32 module=10001 sum=$sum"
	for line in 'hv: vm hello: check: 0 rules for VM entries broken' \
		'hello| 639 KiB below 640 K, 31744 KiB from 1 MiB, 1 modules' \
		'hv: vm hello: exited with status 0' 'hv: vm hello-2: exited with status 0' \
		'hv: vm contract: exited with status 0'; do
		grep -qxF "$line" <<<"$output" || { echo "no line: $line"; echo "$output"; return 1; }
	done
}

@test "an ELF by its path, which may hold blanks, with its own words" {
	cp build/guest/hello.elf "$BATS_TEST_TMPDIR/my own.elf"
	makes 0 run ENGINE=bochs GUEST="$BATS_TEST_TMPDIR/my own.elf" VM='mem=16M dev=edu'
	grep -q '^hv: vm guest: 16 MiB, IOMMU off, 1 edu' <<<"$output"
}

@test "ARGS arrive as they are written: quotes, dollars, what the shell and make would take" {
	local words='it'\''s "so" $x $$y $(z ) $(shell echo no <&1 # ; \ %'
	makes 0 run ENGINE=bochs GUEST=hello ARGS="$words"
	grep -qxF "hello| My command line is \"hello $words\"." <<<"$output"
	makes 0 run ENGINE=bochs GUEST=hello ARGS='several   blanks  '
	grep -qxF 'hello| My command line is "hello several   blanks  ".' <<<"$output"
}

@test "a folder for temporary files whose name holds a blank" {
	mkdir "$TMPDIR/a b,c"
	TMPDIR="$TMPDIR/a b,c" makes 0 run ENGINE=bochs GUEST=hello
	[ -z "$(ls "$TMPDIR/a b,c")" ]
	rmdir "$TMPDIR/a b,c"
}

@test "one line says with what status a run ended, since make makes 2 of it" {
	makes 2 run ENGINE=bochs GUEST=hello ARGS=status=7
	[ "${stderr_lines[0]}" = "make run: status 1, make's own is 2: a VM failed, or could not be started" ]
	makes 2 run ENGINE=bochs GUEST=hello HV=colour=red
	[ "${stderr_lines[0]}" = "make run: status 3, make's own is 2: the hypervisor could not run, or failed" ]
	makes 2 run ENGINE=bochs GUEST=faults ARGS=spin TIMEOUT=3
	[ "${stderr_lines[1]}" = "make run: status 124, make's own is 2: ended after TIMEOUT=3 seconds" ]
}

@test "TRACE=file keeps what the machine sends to port 0xe9" {
	makes 0 run ENGINE=bochs GUEST=hello HV=console=e9 TRACE="$BATS_TEST_TMPDIR/a trace"
	grep -qx 'hv: vm hello: exited with status 0' "$BATS_TEST_TMPDIR/a trace"
}

@test "Ctrl-C at a terminal: where each vCPU is, with its line in the source; then 130" {
	at_terminal 'faults| spin' '\003' "make --no-print-directory run ENGINE=bochs GUEST=faults ARGS=spin"
	[ "$status" -eq 130 ]
	tr -d '\r' <<<"$output" | grep -qE '^hv: vm faults: vcpu 0: rip 0x[0-9a-f]+, cr3 0x[0-9a-f]+, 64-bit code$'
	[[ $output == *"is in spin_for_ever, guest/faults/ends.c:"* ]]
}

@test "a reader that goes away, as head does, ends a run without a word but make's own" {
	run --separate-stderr bash -c 'set -o pipefail; make --no-print-directory run ENGINE=bochs GUEST=hello | head -n 1'
	[ "$status" -eq 2 ]
	[[ $output == "hv: Leafcutter"* && $stderr == make:*"Error 141" ]]
}

# spinning SIGNAL: make, running a guest that never ends, is sent it; nothing of the run is left.
spinning() {
	make run ENGINE=bochs GUEST=faults ARGS=spin >"$BATS_TEST_TMPDIR/console" 2>&1 3>&- &
	local pid=$!
	until grep -q 'faults| spin' "$BATS_TEST_TMPDIR/console"; do
		sleep 0.1
	done
	pgrep -f "$TMPDIR" >/dev/null
	kill -"$1" "$pid"
	gone
	until [ -z "$(ls "$TMPDIR")" ]; do
		sleep 0.1
	done
}

@test "nothing outlives make: kill" { spinning TERM; }
@test "nothing outlives make: kill -9" { spinning KILL; }

@test "make gdb killed with -9 leaves neither gdb nor QEMU" {
	local pid
	mkfifo "$BATS_TEST_TMPDIR/stdin"
	make gdb <>"$BATS_TEST_TMPDIR/stdin" >"$BATS_TEST_TMPDIR/gdb" 2>&1 3>&- &
	pid=$!
	until grep -q '^Breakpoint 1, ' "$BATS_TEST_TMPDIR/gdb"; do
		sleep 0.1
	done
	mapfile -t left < <(pgrep -f -- '-S -gdb stdio|build/leafcutter.elf -iex' | while read -r other; do
		[ "$(readlink "/proc/$other/cwd")" != "$TREE" ] || echo "$other"
	done)
	[ "${#left[@]}" -ge 2 ]
	kill -KILL "$pid"
	for pid in "${left[@]}"; do
		while [ -e "/proc/$pid" ]; do
			sleep 0.1
		done
	done
}

# All targets that are no files, those of patterns as NAME.
targets() {
	make -pn help 2>/dev/null | sed -n 's/^TARGETS := //p' | tr ' ' '\n' |
		grep -vxE 'need-%|built|swept|all|FORCE|\$.*' | sed 's/%/NAME/'
}

@test "make help lists every target and every variable, in 80 columns; docs/commands.md lists the targets" {
	local word
	makes 0 help
	[ "$(awk 'length > 80' <<<"$output")" = "" ]
	[ "$(targets | wc -l)" -ge 15 ]
	for word in $(targets); do
		grep -qwF -- "$word" <<<"$output" || { echo "make help lacks $word"; return 1; }
		grep -qwF -- "$word" docs/commands.md || { echo "docs/commands.md lacks $word"; return 1; }
	done
	for word in $(make -pn help 2>/dev/null | sed -n 's/^VARIABLES := //p'); do
		grep -qw -- "$word=\?" <<<"$output" || { echo "make help lacks $word"; return 1; }
	done
}

@test "what the tools say of themselves fits 80 columns" {
	local text
	text=$(tools/boot --help; for tool in gdb iso locked need; do tools/$tool 2>&1 || true; done)
	[ "$(wc -l <<<"$text")" -ge 20 ]
	[ "$(awk 'length > 80' <<<"$text")" = "" ]
}
