# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # variables that bats sets
# What the boot tests share: make an ISO of images and words, boot it, look at its console.
BUILD=${BUILD:-build}
ENGINE=${ENGINE:-bochs}
G=$BUILD/guest

# make_iso "OPTIONS" FILE "WORDS"...: the ISO of this test, of $ELF if that is set, its path in $iso.
make_iso() {
	iso=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/test.iso
	tools/iso "$iso" "${ELF:-$BUILD/leafcutter.elf}" "$@"
}

# boots STATUS "OPTIONS" FILE "WORDS"...: the machine ends with STATUS; $output is its console.
# BOOT_OPTIONS go to tools/boot.
boots() {
	local status_expected=$1
	shift
	make_iso "$@"
	# shellcheck disable=SC2086 # several words
	run --separate-stderr tools/boot --engine "$ENGINE" ${BOOT_OPTIONS:-} "$iso"
	[ "$status" -eq "$status_expected" ] || { show; return 1; }
}

# has LINE...: each is a whole line of the console, as a regular expression.
has() {
	local line
	for line in "$@"; do
		grep -qxE -- "$line" <<<"$output" || { echo "no line: $line"; show; return 1; }
	done
}

# lacks TEXT: no line holds it.
lacks() {
	! grep -E -- "$1" <<<"$output" || { show; return 1; }
}

# overwrite ELF OFFSET HEX: bytes of an image, by offset in the file.
overwrite() {
	# shellcheck disable=SC2059 # the bytes are the format
	printf "$(sed 's/../\\x&/g' <<<"$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# overwrite_code ELF ADDRESS HEX: instructions of an image, by their address. Text is the first segment.
overwrite_code() {
	local offset virtual
	read -r offset virtual < <(readelf -lW "$1" | awk '$1 == "LOAD" { print $2, $3; exit }')
	overwrite "$1" $(($2 - virtual + offset)) "$3"
}

# replace_code ELF FUNCTION HEX: the function begins with these instructions instead.
replace_code() {
	overwrite_code "$1" $((16#$(nm "$1" | sed -n "s/ [tT] $2\$//p"))) "$3"
}

# instructions ELF FUNCTION REGEX: the address and the bytes of those in it that match.
instructions() {
	objdump -d --disassemble="$2" "$1" | sed -nE "s/^ *([0-9a-f]+):\t([0-9a-f ]+)\t($3).*/\1 \2/p" |
		while read -r address bytes; do echo $((16#$address)) "${bytes// /}"; done
}

# part FILE NAME: of the console of several images, in the file, that of NAME.iso, into $output. A machine that ends may
# leave its last line without an end, so the next one's head need not begin a line.
part() {
	output=$(sed 's#== /#\n== /#' "$1" |
		awk -v head="== $BATS_FILE_TMPDIR/$2.iso" '/^== / { on = $0 == head; next } on')
	status=0
}

# shows TEXT FILE: wait until the file holds the text.
shows() {
	until grep -q -- "$1" "$2" 2>/dev/null; do
		sleep 0.1
	done
}

# at_terminal TEXT KEYS COMMAND: run the command at a terminal and type KEYS once it has shown TEXT;
# $status is its status, $output what the terminal showed.
at_terminal() {
	local out=$BATS_TEST_TMPDIR/terminal
	unset status
	rm -f "$out" "$out.status"
	{
		shows "$1" "$out"
		printf %b "$2"
		until [ -e "$out.status" ]; do sleep 0.1; done
	} | {
		# bats has SIGINT ignored, a terminal's shell has not.
		TERM=xterm perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' \
			script -qefc "$3" /dev/null >"$out" 2>&1 || status=$?
		echo "${status:-0}" >"$out.status"
	}
	status=$(<"$out.status") output=$(tr -d '\r' <"$out")
}

# The console, for the report of a failed test.
show() {
	echo "status $status, console:"
	echo "$output"
}

# words IMAGE: what guest/defaults asks of a VM for that image.
words() {
	sed -n "s/^$1\t\t*//p" guest/defaults
}

# image NAME ["GUEST WORDS" ["VM WORDS"]]: boots it alone; every check held.
image() {
	boots 0 "" "$G/$1.elf" "vm t ${3:-$(words "$1")} -- ${2:-}"
	lacks 'FAIL'
	has 'hv: vm t: exited with status 0'
}

# Of a test that takes longer than make test may: make test-all runs it.
long() {
	[ -n "${TEST_ALL:-}" ] || skip "in make test-all"
}
