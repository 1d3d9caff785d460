#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The pictures of docs/pictures/ are what `make pictures` would make today, by a run in Bochs and
# the playground's machine.
bats_require_minimum_version 1.5.0

@test "each picture is current: make pictures would change nothing" {
	local made=$BATS_TEST_TMPDIR/pictures picture
	tests/web/trace "$BATS_TEST_TMPDIR/trace"
	web/pictures "$made" "$BATS_TEST_TMPDIR/trace"
	[ "$(cd "$made" && echo *.svg)" = "$(cd docs/pictures && echo *.svg)" ]
	for picture in "$made"/*.svg; do
		diff "docs/pictures/${picture##*/}" "$picture"
	done
}
