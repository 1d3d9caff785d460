#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # variables that bats sets
# `make explain` by its program: what each word of the environment does, and what it refuses. That
# an explanation is true is proved elsewhere (tests/unit/test_ept_explain.c).
bats_require_minimum_version 1.5.0

# explains NAME=VALUE... -- TEXT...: each TEXT is in the output.
explains() {
	local words=()
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	run -0 env "${words[@]}" "${BUILD:-build}/tools/explain"
	for text in "$@"; do
		[[ $output == *"$text"* ]] || { echo "not said: $text"; echo "$output"; return 1; }
	done
}

# refuses NAME=VALUE EXPECTED: status 2, one line that names the variable, its value and EXPECTED.
refuses() {
	run --separate-stderr env GPA=2M "$1" "${BUILD:-build}/tools/explain"
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "make explain: ${1%%=*}: '${1#*=}' is not understood, expected $2"* ]]
}

@test "explain: the demonstration's WC buffer, by every step" {
	explains GPA=0x2240000 MTRR="WT@1G+1M WC@0x2240000+256K" -- "count 1, CR0.CD 0, MTRR variable 2 \
(WC, 0x2240000+256K) over default WB: WC; not uniform over 2 MiB: 4K leaf; PAT entry 0 WB: effective WC \
(SDM 3A table 12-7)"
	[ "$(grep -c '^level ' <<<"$output")" -eq 4 ]
}

@test "explain: under kvm-6.6 the leaf from before the attach is stale, under kvm-6.7 it is not" {
	explains GPA=0x2240000 COUNT=0,1 MTRR="WC@0x2240000+256K" POLICY=kvm-6.6 -- \
		"stale: the leaf in place is WB + ignore PAT, as with count 0, not cleared since; a fault would give WC; \
harmful where PAT is WB: an access is WB, not WC"
	explains GPA=0x2240000 COUNT=0,1 MTRR="WC@0x2240000+256K" -- "level 1: 0x10224000f"
	[[ $output != *stale* ]]
}

@test "explain: each word does what it says" {
	explains GPA=32M COUNT=0 -- "no noncoherent DMA: WB + ignore PAT"
	explains GPA=32M CD=1 -- "CR0.CD 1, caches disabled: UC + ignore PAT"
	explains GPA=32M POLICY=kvm-6.11 CD=1 -- "the policy asks neither MTRRs nor CD: WB"
	explains GPA=32M POLICY=kvm-6.16 COUNT=0 PAT=WC -- "PAT entry 0 WC: effective WC"
	explains GPA=32M PAT=3 -- "PAT entry 3 UC: effective UC"
	explains GPA=32M PAT=5:0x0000040000000000 -- "PAT entry 5 WT: effective WT"
	explains GPA=32M PAT=off -- "paging off, so PAT WB"
	explains GPA=32M LARGE=4K -- "no leaves of 2 MiB on this CPU: 4K leaf"
	explains GPA=5G RAM=8G -- "the largest there is: 1G leaf"
	explains GPA=5G RAM=8G LARGE=2M -- "no leaves of 1 GiB on this CPU: 2M leaf"
	explains GPA=32M MTRR=off -- "MTRRs disabled: UC"
	explains GPA=32M MTRR=default=WP -- "MTRR default WP, in no variable range: WP"
	explains GPA=0x84000 -- "MTRR fixed (WB, 0x84000+16K)"
	explains GPA=0x84000 MTRR=none -- "MTRR default WB"
	explains GPA=32M MTRR="0x2ff=0x801" -- "MTRR default WC"
	explains GPA=2M MTRR=UC@0+1T -- "MTRR variable 1 (UC, 0x0+1T) over default WB: UC"
	explains GPA=3G -- "no slot: an access is the device models'"
}

@test "explain: what is not understood is named, with what was expected" {
	refuses POLICY=kvm-9 "kvm-6.6, kvm-6.7, kvm-6.11 or kvm-6.16"
	refuses GPA=x "an address"
	local gpa
	for gpa in 1z 0x -1 0x10000000000000000 18446744073709551616 17592186044416M 0x1000000000000 1G2; do
		refuses GPA=$gpa "an address of at most 48 bits"
	done
	refuses COUNT=9 "0 to 8"
	refuses COUNT=1, "0 to 8"
	refuses CD=2 "0 or 1"
	refuses PAT=8 "an entry's number"
	refuses PAT=1:x "an entry's number"
	refuses PAT=1:0x70406000704020 "an entry's number"
	refuses RAM=16777217T "2M to 1T"
	refuses MTRR="$(printf 'WB@0+4K %.0s' {1..70})" "at most 511 characters"
	refuses RAM=1M "2M to 1T"
	refuses LARGE=8K "4K, 2M or 1G"
	local word
	for word in WB@1M+3M WB@1M+2M XX@2M+2M WB@2M default=UC- 0x2ff=0xc02 0x10=1 nonsense; do
		refuses MTRR=$word "off, none, default=TYPE"
	done
}
