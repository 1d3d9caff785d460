#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# A guest of one's own: the skeleton builds and boots, what is no name is refused in one line, and the
# page about it says what is so.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
	unset MAKEFLAGS MFLAGS MAKELEVEL LOCKED
	page=docs/write-a-guest.md
}

# block WORD: the indented block of the page that holds a line beginning so.
block() {
	awk -v word="$1" 'function flush() { if (found) printf "%s", text; text = ""; found = 0 }
		/^    / { line = substr($0, 5); text = text line "\n"; if (index(line, word) == 1) found = 1; held = ""; next }
		/^$/ { if (text != "") { text = text "\n" } next }
		{ flush() } END { flush() }' "$page"
}

@test "make new-guest: the skeleton builds and runs as the page shows it" {
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/build"
	tools/tree "$tree"
	for part in image guest leafcutter.elf leafcutter.sym; do
		[ ! -e "$BUILD/$part" ] || cp -a "$BUILD/$part" "$tree/build/"
	done
	cd "$tree"
	run -0 env BUILD= make --no-print-directory BUILD=build new-guest NAME=mine
	[[ $output == "guest/mine/mine.c is yours"* ]]
	run -0 --separate-stderr make --no-print-directory BUILD=build ENGINE=bochs run GUEST=mine
	tr -d '\r' <<<"$output" >console
	cd "$OLDPWD"
	block 'hv: vm mine: 32' | grep -E '^(hv|mine)' >"$tree/expected"
	[ "$(wc -l <"$tree/expected")" -eq 6 ]
	while IFS= read -r line; do
		grep -qxF -- "$line" "$tree/console" || { echo "no line: $line"; cat "$tree/console"; return 1; }
	done <"$tree/expected"
	clang-format-14 --version >/dev/null 2>&1 || skip "no clang-format 14"
	clang-format-14 --dry-run -Werror "$tree/guest/mine/mine.c"
}

@test "make new-guest: what is no name, or taken, is refused in one line" {
	before=$(ls guest && cat guest/defaults)
	for name in '' Upper 'a b' 9lives abcdefghijklmnop hv lib linux-mine hello noncoherent hello64 ../up 'x;y'; do
		run -2 --separate-stderr tools/new-guest "$name"
		[ -z "$output" ] && [ "$(wc -l <<<"$stderr")" -eq 1 ]
		[[ $stderr == "make new-guest: NAME"* ]] || { echo "$name: $stderr"; return 1; }
	done
	[ "$before" = "$(ls guest && cat guest/defaults)" ]
}

@test "the page's 32-bit image from nothing builds and boots as it stands there" {
	block '/* Multiboot header' | grep -v '^gcc\|^make run' >"$BATS_TEST_TMPDIR/own.c"
	grep -q '^void start' "$BATS_TEST_TMPDIR/own.c"
	command=$(block 'gcc -m32' | grep '^gcc -m32')
	(cd "$BATS_TEST_TMPDIR" && eval "$command")
	boots 0 "" "$BATS_TEST_TMPDIR/own.elf" "vm guest mem=16M dev=edu --"
	has 'hv: vm guest: 16 MiB, IOMMU off, 1 edu, memory types as kvm-6.7' 'guest\| Hello from nothing\.' \
		'hv: vm guest: exited with status 0'
}
