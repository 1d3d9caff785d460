#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The pages of the course: the glossary has every abbreviation of the tree, every part of the primer has
# its questions and every question its answer, and the workflow does what the pages say.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
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
