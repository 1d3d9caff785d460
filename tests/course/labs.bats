#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The labs of the course: what is handed out fails, the solution has all points, and each of two or more
# plausible wrong answers fails by a rule that is named. Solutions and wrong answers that a teacher has left
# out are skipped. Boots and wrong answers are in `make test-all`.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
	export ENGINE
	LABS=docs/course/labs WRONG=tests/course/wrong
}

# begins LAB: its working copy as it is handed out, in $tree.
begins() {
	lab=$1 tree=$BATS_TEST_TMPDIR/lab
	run -0 tools/lab "$lab" "$tree"
	[ -f "$tree/LAB.md" ] && [ ! -e "$tree/docs/course/solutions" ] && [ ! -e "$tree/$LABS" ]
}

# answers PATCH: the copy as handed out, with that patch.
answers() {
	git -C "$tree" checkout -q . && git -C "$tree" clean -qfd
	git -C "$tree" apply -C1 "$PWD/$1"
}

# graded STATUS [--no-boots]: each line has the form, the points add up, and STATUS is 0 only for all.
graded() {
	run "-$1" tools/grade ${2:+"$2"} "$lab" "$tree"
	! grep -vE "^lab $lab: ([0-9]+ of [0-9]+ - .+|[0-9]+ of [0-9]+ points)$" <<<"$output" || return
	local got all
	read -r _ _ got _ all _ < <(tail -n 1 <<<"$output")
	[ "$got" -eq "$(sed -nE 's/^lab [0-9]+: ([0-9]+) of [0-9]+ - .*/\1/p' <<<"$output" | awk "{ n += \$1 } END { print n }")" ]
	[ "$all" -ge 5 ]
	if [ "$1" -eq 0 ]; then
		[ "$got" -eq "$all" ] && ! grep FAILED <<<"$output"
	else
		[ "$got" -lt "$all" ] && grep -qE ': 0 of [0-9]+ - .+: FAILED: .+' <<<"$output"
	fi
}

# What `make test` runs of a lab: its two states, by unit tests, model and faults.
states() {
	begins "$1"
	graded 1 --no-boots
	[ -e "docs/course/solutions/$1.patch" ] || skip "no solution here"
	answers "docs/course/solutions/$1.patch"
	graded 0 --no-boots
}

# Each lab of the folder has a test here, and all that a lab has.
@test "every lab has handout, patch, rules, solution, two wrong answers, and a test" {
	local name
	for lab in "$LABS"/[0-9]*; do
		name=${lab##*/}
		[ -f "$lab/README.md" ] && [ -f "$lab/handout.patch" ] && [ -f "$lab/rules" ]
		[ ! -d "$WRONG" ] || { [ -f "$WRONG/${name}a.patch" ] && [ -f "$WRONG/${name}b.patch" ]; }
		grep -qF "states $name;" "$BATS_TEST_FILENAME" || { echo "no test of lab $name"; return 1; }
		for heading in Goal Reading Task 'Expected output' Questions; do
			grep -q "^## $heading" "$lab/README.md" || { echo "lab $name says nothing of: $heading"; return 1; }
		done
		grep -qE '^\*\*[0-9]+ minutes\*\*' "$lab/README.md"
		points=$(awk -F'|' '/^[0-9]/ { n += $1 } END { print n }' "$lab/rules")
		grep -qF "lab $name: $points of $points points" "$lab/README.md" || { echo "lab $name: $points points"; return 1; }
	done
}

@test "lab 1: handed out it fails, solved it passes" { states 1; }
@test "lab 2: handed out it fails, solved it passes" { states 2; }
@test "lab 3: handed out it fails, solved it passes" { states 3; }
@test "lab 4: handed out it fails, solved it passes" { states 4; }
@test "lab 5: handed out it fails, solved it passes" { states 5; }
@test "lab 6: handed out it fails, solved it passes" { states 6; }
@test "lab 7: handed out it fails, solved it passes" { states 7; }
@test "lab 8: handed out it fails, solved it passes" { states 8; }
@test "lab 9: handed out it fails, solved it passes" { states 9; }
@test "lab 10: handed out it fails, solved it passes" { states 10; }
@test "lab 11: handed out it fails, solved it passes" { states 11; }
@test "lab 12: handed out it fails, solved it passes" { states 12; }

# Its links are those of a page three folders down; what is not in the copy is named without a link.
@test "each link of each LAB.md leads to something in the copy" {
	local number link seen=0
	for number in "$LABS"/[0-9]*; do
		rm -rf "$BATS_TEST_TMPDIR/lab"
		begins "${number##*/}"
		while read -r link; do
			seen=$((seen + 1))
			[ -e "$tree/$link" ] || { echo "$number: $link"; return 1; }
		done < <(grep -oE '\]\([^)#]+' "$tree/LAB.md" | sed 's/^](//')
	done
	[ "$seen" -ge 10 ]
}

@test "a lab is begun once; what is no lab is refused in one line; a hand-in begins where it ended" {
	local copy=$BATS_TEST_TMPDIR/clone
	mkdir -p "$copy"
	tools/tree "$copy"
	git -C "$copy" init -q && git -C "$copy" add -A
	cd "$copy"
	run -0 tools/grade
	[ "$output" = "make grade: no lab was begun: make lab LAB=1" ]
	for name in '' 0 x 99; do
		run -2 tools/lab "$name"
		[[ $output == "make lab: LAB=$name: expected one of 1 2 3 "* ]]
	done
	run -2 tools/lab hand-in 2
	run -2 tools/grade 2
	[ "$output" = "make grade: lab 2 was not begun: make lab LAB=2" ]
	run -0 tools/lab 2
	run -2 tools/lab 2
	[[ $output == "make lab: build/labs/2 is there already: "* ]]
	run -2 tools/lab hand-in 2
	echo "/* mine */" >>build/labs/2/ept/memtype.c
	run -0 tools/lab hand-in 2
	rm -r build/labs/2
	run -0 tools/lab 2
	[ "$(tail -n 1 build/labs/2/ept/memtype.c)" = "/* mine */" ]
}

@test "wrong answers fail by a rule that is named; with boots, what is handed out fails and the solution passes" {
	long
	local number wrong
	for number in "$LABS"/[0-9]*; do
		number=${number##*/}
		rm -rf "$BATS_TEST_TMPDIR/lab"
		begins "$number"
		graded 1
		for wrong in "$WRONG/$number"[a-z].patch; do
			[ -e "$wrong" ] || continue
			answers "$wrong"
			graded 1 --no-boots || { echo "$wrong: $output"; return 1; }
		done
		[ -e "docs/course/solutions/$number.patch" ] || continue
		answers "docs/course/solutions/$number.patch"
		graded 0 || { echo "$output"; return 1; }
	done
}
