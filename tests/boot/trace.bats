#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The trace of a run, and tools/trace, which reads it: nothing is missing in it, what is damaged is
# told, and the path from the queue's tail to the last INVEPT is there.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	export TRACE=$BATS_FILE_TMPDIR/trace
	BOOT_OPTIONS="--trace $TRACE" boots 0 "trace=exits" "$G/noncoherent.elf" "vm demo $(words noncoherent) --"
	echo "$output" >"$BATS_FILE_TMPDIR/console"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
	output=$(<"$BATS_FILE_TMPDIR/console")
	T=$BATS_TEST_TMPDIR
}

# reads STATUS ARGUMENT...: tools/trace with them ends so; $output and $stderr.
reads() {
	local expected=$1
	shift
	run --separate-stderr -"$expected" tools/trace "$@"
}

@test "the summary counts the exits that the hypervisor counted, each reason" {
	local counts
	# "hv: vm demo: 9935 exits, 4 CPUID, 4417 VMCALL": "4 CPUID" and so on, sorted
	counts=$(sed -n 's/^hv: vm demo: [0-9]* exits, //p' <<<"$output" | sed 's/, /\n/g' | sort)
	[ -n "$counts" ]
	reads 0 --summary "$TRACE"
	[ -z "$stderr" ]
	diff <(awk 'NR > 1 { name = substr($0, 17, 20); sub(" *$", "", name); print substr($0, 38, 8) + 0, name }' \
		<<<"$output" | sort) - <<<"$counts"
}

@test "total, mean, median, 99th and most fit each other, the most expensive reason first" {
	reads 0 --summary "$TRACE"
	awk 'NR > 1 { count = substr($0, 38, 8); $0 = substr($0, 46); rows++
			if (count * $2 < $1 * 0.999 - count || count * $2 > $1 * 1.001 + count) exit 1
			if ($3 > $4 || $4 > $5 || $2 > $5 || ($1 > before && before != "")) exit 1
			before = $1 }
		END { exit rows < 5 }' <<<"$output"
}

@test "the text has the tail write, then attach, zap, INVEPT, WBINVD, transition, in this order" {
	reads 0 "$TRACE"
	grep -B 1 -A 4 -m 1 'device 00:02.0 attached' <<<"$output" | sed -E 's/^ *[0-9]+ cpu 0 demo\.0 //' |
		tr '\n' ';' | grep -E '^exit: EPT violation, 0xfed90088,[^;]*;device 00:02.0 attached[^;]*;zap from 0x0 [^;]*;INVEPT on CPU 0;WBINVD on CPU 0;noncoherent count 0 -> 1:'
}

@test "the JSON is well-formed, has CPU, vCPU and IOMMU tracks, and arrows from tail writes to INVEPTs" {
	tools/trace --json "$TRACE" >"$T/json"
	perl -MJSON::PP -e '
		my $events = decode_json(join "", <>)->{traceEvents};
		my (%tracks, %ends, %slices);
		for my $e (@$events) {
			my $track = "$e->{pid}.$e->{tid}";
			$tracks{$e->{args}{name}} = $track if $e->{ph} eq "M" && $e->{name} eq "thread_name";
			$ends{$e->{id}}{$e->{ph}} = $e if $e->{ph} =~ /^[sf]$/;
			$slices{"$track $e->{ts}"} .= $e->{name} if $e->{ph} eq "X";
			$count++ if $e->{ph} eq "X" && $e->{name} =~ /^exit/;
		}
		exists $tracks{$_} or die "no track $_\n" for "CPU 0", "vCPU 0", "IOMMU";
		keys %ends == 2 or die "arrows: ", scalar keys %ends, "\n"; # attach and detach of the first device
		for (values %ends) {
			my ($from, $to) = map { $slices{"$_->{pid}.$_->{tid} $_->{ts}"} } @$_{"s", "f"};
			$from =~ /0xfed90088/ && $to =~ /INVEPT/ or die "$from -> $to\n";
			$_->{s}{ts} < $_->{f}{ts} or die "backwards\n";
		}' "$T/json"
}

@test "the JSON keeps the rules by which Perfetto takes it, at the TSC's rate of any machine" {
	tools/trace --json "$TRACE" >"$T/json"
	tests/boot/chrome_trace "$T/json"
	# The same records as a CPU of 2.9 GHz would have told them: several ticks are one nanosecond.
	perl -0777 -pe 'for ($i = 0; $i < length; $i += 32) { substr($_, $i + 12, 4) = pack "V", 2893437 if ord(substr($_, $i + 8, 1)) == 16 }' \
		"$TRACE" >"$T/fast"
	tools/trace --json "$T/fast" >"$T/json"
	tests/boot/chrome_trace "$T/json"
}

@test "two CPUs: every exit of both is there, and nothing is lost" {
	BOOT_OPTIONS="--cpus 2 --trace $T/two" boots 0 "trace=exits" "$G/smp.elf" "vm two $(words smp) --"
	echo "$output" >"$T/console"
	reads 0 --summary "$T/two"
	[ -z "$stderr" ]
	local exits
	exits=$(awk 'NR > 1 { all += substr($0, 38, 8) } END { print all }' <<<"$output")
	reads 0 "$T/two"
	grep -q 'cpu 1 two.1 exit: ' <<<"$output"
	tools/trace --json "$T/two" >"$T/json"
	tests/boot/chrome_trace "$T/json"
	output=$(<"$T/console")
	has "hv: vm two: $exits exits, .*"
}

@test "trace=events: no exit, every leaf and injection; arrows begin at the device's change" {
	BOOT_OPTIONS="--trace $T/events" boots 0 "trace=events" "$G/noncoherent.elf" "vm demo $(words noncoherent) --"
	reads 0 "$T/events"
	[ -z "$stderr" ]
	lacks 'exit:'
	grep -q 'fault at 0x.*, 4K leaf, WC' <<<"$output"
	grep -q 'demo.0 exited with status 0' <<<"$output"
	tools/trace --json "$T/events" >"$T/json"
	tests/boot/chrome_trace "$T/json"
	grep -c '"ph":"s"' "$T/json" | grep -qx 2
	reads 0 --summary "$T/events"
	[[ $output == *"no exits in it"* ]]
}

@test "a truncated trace is read as far as it goes and one line says so" {
	head -c 10010 "$TRACE" >"$T/short"
	reads 1 "$T/short"
	[ "${#lines[@]}" -gt 280 ]
	[ "$stderr" = "tools/trace: $T/short: cut off behind 312 records" ]
	head -c $((32 * 100)) "$TRACE" >"$T/short"
	reads 1 "$T/short"
	[ "$stderr" = "tools/trace: $T/short: cut off behind 100 records" ]
}

@test "bytes that are missing in the middle: the records they belonged to are counted as lost" {
	reads 0 "$TRACE"
	local whole=${#lines[@]}
	{ head -c 6400 "$TRACE"; tail -c +$((6400 + 32 * 3 + 8)) "$TRACE"; } >"$T/holes"
	reads 0 "$T/holes"
	[ "$stderr" = "tools/trace: $T/holes: $((whole - ${#lines[@]})) records are lost" ]
	[ $((whole - ${#lines[@]})) -ge 3 ] && [ $((whole - ${#lines[@]})) -lt 70 ]
}

@test "a foreign, an empty and an absent file are one clear line each, status 2" {
	: >"$T/empty"
	for file in "$G/hello.elf" README.md "$T/empty"; do
		reads 2 --summary "$file"
		[ -z "$output" ]
		[ "$stderr" = "tools/trace: $file: no trace of Leafcutter, expected what make run TRACE=file writes" ]
	done
	reads 2 "$T/absent"
	[ "$stderr" = "tools/trace: $T/absent: no such file" ]
	reads 2 "$T"
	[ "$stderr" = "tools/trace: $T: cannot be read" ]
	reads 2
	reads 2 --frob "$TRACE"
	reads 0 --summary /dev/stdin < <(cat "$TRACE")
}

@test "make run TRACE= traces exits without another word" {
	MAKEFLAGS='' run --separate-stderr -0 make --no-print-directory run ENGINE=bochs GUEST=hello TRACE="$T/a trace"
	reads 0 --summary "$T/a trace"
	[[ $output == *"hello "*" I/O "* ]]
}
