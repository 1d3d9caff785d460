#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The pages of the course: the glossary has every abbreviation of the tree, every part of the primer has
# its questions and every question its answer, and the workflow does what the pages say.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	BUILD=${BUILD:-build}
	COURSE=docs/course
}

# What pages and comments say in capitals, without code: words of two letters and more.
abbreviations() {
	{
		git ls-files '*.md' ":!$COURSE/glossary.md" | xargs cat | sed '/^    /d; s/`[^`]*`//g'
		git ls-files 'boot/*.[ch]' 'hv/*.[ch]' 'ept/*.[ch]' 'iommu/*.[ch]' 'lib/*.[ch]' 'guest/*.[ch]' | xargs perl -0777 -ne '
			while (m{/\*(.*?)\*/|//([^\n]*)}gs) { print $1 // $2, "\n" }' | sed 's/`[^`]*`//g'
	} | grep -oE '\b[A-Z][A-Z0-9]*[A-Z][A-Z0-9]*\b' | sort -u
}

@test "the glossary has every abbreviation that pages and comments use" {
	abbreviations >"$BATS_TEST_TMPDIR/used"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/used")" -gt 300 ]
	grep -oE '\b[A-Z][A-Z0-9]*\b' "$COURSE/glossary.md" | sort -u >"$BATS_TEST_TMPDIR/there"
	comm -23 "$BATS_TEST_TMPDIR/used" "$BATS_TEST_TMPDIR/there" >"$BATS_TEST_TMPDIR/missing"
	while read -r word; do
		echo "$COURSE/glossary.md lacks $word: $(git grep -nwm 1 "$word" -- '*.md' '*.[ch]' | head -n 1)"
	done <"$BATS_TEST_TMPDIR/missing"
	[ ! -s "$BATS_TEST_TMPDIR/missing" ]
}

@test "each part of the primer has three questions, each lab as many as its handout says, and all have answers" {
	for part in 1 2 3 4 5 6; do
		grep -q "^## $part\. " "$COURSE/primer.md"
		for letter in a b c; do
			grep -qF "($part$letter)" "$COURSE/primer.md" && grep -qF "**$part$letter.**" "$COURSE/answers.md" ||
				{ echo "question $part$letter"; return 1; }
		done
	done
	for lab in "$COURSE"/labs/[0-9]*; do
		asked=$(sed -n '/^## Questions/,$p' "$lab/README.md" | grep -cE '^[0-9]+\. ')
		answered=$(awk -v heading="## Lab ${lab##*/}" '/^## / { here = $0 == heading; next } here' "$COURSE/labs/answers.md" | grep -oE '\*\*[0-9]\.\*\*' | wc -l)
		[ "$asked" -ge 3 ] && [ "$asked" -eq "$answered" ] || { echo "${lab##*/}: $asked asked, $answered answered"; return 1; }
		[ "$(grep -c '^Ask yourself' "$lab/README.md")" -eq 1 ]
	done
	[ "$(grep -c '^\*\*Ask yourself\.\*\*' "$COURSE/labs/answers.md")" -eq "$(printf '%s\n' "$COURSE"/labs/[0-9]* | wc -l)" ]
}

@test "the workflow and the container file have no commands but the README's, and the fork's way works" {
	run grep -hE '^ *- run: |^RUN |^CMD ' .github/workflows/grade.yml Containerfile
	while read -r line; do
		case ${line#- } in
		'run: apt-get update && apt-get install -y git make gcc' | 'RUN apt-get update && apt-get install -y git make gcc') ;;
		'run: git config --global --add safe.directory "$GITHUB_WORKSPACE"') ;;
		'run: make grade' | 'CMD ["make", "grade"]') ;;
		*) echo "more than the README's commands: $line" && return 1 ;;
		esac
	done <<<"$output"
	grep -q 'container: debian:12' .github/workflows/grade.yml && grep -q '^FROM debian:12' Containerfile
	# As in a fork: a clone with an answer handed in, and nothing else.
	[ -e "$COURSE/solutions/2.patch" ] || skip "no solution here"
	fork=$BATS_TEST_TMPDIR/fork
	mkdir -p "$fork/answers"
	tools/tree "$fork"
	cp "$COURSE/solutions/2.patch" "$fork/answers/"
	# What was built for other labs need not be built again; nobody builds it while the lock of tools/grade is ours.
	[ ! -d "$BUILD/grade-tree" ] || { mkdir "$fork/build" && flock tools/grade cp -a "$BUILD/grade-tree" "$fork/build/"; }
	git -C "$fork" init -q && git -C "$fork" add -A
	cd "$fork"
	run -0 tools/grade --no-boots
	[[ $output == *"lab 2: 12 of 12 points" ]]
}
