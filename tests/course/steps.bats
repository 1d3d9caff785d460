#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The steps of the course: each boots and shows what its page says, no line more; and what the page
# offers to break shows what it promises. Page and program are held together by nothing else.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
	STEPS=docs/course/steps
}

# page STEP: its page; block N: the N-th indented block of what comes in, without its indent.
page() {
	echo "$STEPS/0$1/README.md"
}
block() {
	awk -v wanted="$1" '/^    / { if (!inside) number++; inside = 1; if (number == wanted) print substr($0, 5); next }
		{ inside = 0 }'
}
section() { # section PAGE HEADING
	awk -v heading="## $2" '/^## / { here = $0 == heading; next } here' "$1"
}

shows_its_page() {
	run --separate-stderr tools/boot --engine "$ENGINE" "$BUILD/course/step$1.iso"
	[ "$status" -eq 0 ] || { show; return 1; }
	section "$(page "$1")" "What the console shows" | block 1 >"$BATS_TEST_TMPDIR/expected"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/expected")" -ge 4 ]
	diff "$BATS_TEST_TMPDIR/expected" <(tr -d '\r' <<<"$output")
}

@test "step 1: VMXON and a guest of one HLT, as its page shows it" { shows_its_page 1; }
@test "step 2: exits in a loop, as its page shows it" { shows_its_page 2; }
@test "step 3: an EPT, one leaf for each fault, as its page shows it" { shows_its_page 3; }
@test "step 4: memory types, a zap, INVEPT, as its page shows it" { shows_its_page 4; }
@test "step 5: the context entry that causes it, as its page shows it" { shows_its_page 5; }

@test "step 1 has at most 250 lines, blanks and comments not counted" {
	count=$(sed -E '/^ *(;|\*|\/\*|\/\/)|^\t*\/\*.*\*\/$|^ *$/d' "$STEPS"/01/*.[ch] "$STEPS"/01/*.asm | grep -c .)
	echo "$count lines"
	[ "$count" -le 250 ] && [ "$count" -ge 150 ]
}

# breaks STEP N: the N-th thing to break, in a copy of the tree; each line promised is on the console.
breaks() {
	local copy=$BATS_TEST_TMPDIR/tree line broken
	mkdir "$copy"
	tools/tree "$copy"
	mkdir -p "$copy/build" && cp -a "$BUILD/image" "$copy/build/" 2>/dev/null || true
	broken=$(section "$(page "$1")" "Two things to break" | block $((2 * $2 - 1)))
	[[ $broken == "sed -i "* ]]
	(cd "$copy" && eval "$broken")
	! diff -qr "$STEPS" "$copy/$STEPS" || { echo "changes nothing: $broken"; return 1; }
	env -u MAKEFLAGS -u LOCKED -u BUILD make -C "$copy" --no-print-directory "build/course/step$1.iso"
	run --separate-stderr tools/boot --engine "$ENGINE" "$copy/build/course/step$1.iso"
	output=$(tr -d '\r' <<<"$output")
	while IFS= read -r line; do
		has "${line//[|+]/.}"
	done < <(section "$(page "$1")" "Two things to break" | block $((2 * $2)))
}

@test "what the pages offer to break shows what they promise" {
	long
	local step number
	for step in 1 2 3 4 5; do
		for number in 1 2; do
			rm -rf "$BATS_TEST_TMPDIR/tree"
			breaks $step $number
		done
	done
}
