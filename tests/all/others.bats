#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Two more of Debian's packages as guests, unmodified: Xen with Linux as its dom0, and memtest86+.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
	others=$BUILD/others
	mkdir -p "$others"
}

# unpack PACKAGE: its files below $others, fetched and never installed.
unpack() {
	[ ! -d "$others/$1" ] || return 0
	rm -f "$others/$1"_*.deb
	(cd "$others" && apt-get -q download "$1" >"$1.log" 2>&1) || skip "apt has no $1 here"
	dpkg -x "$others/$1"_*.deb "$others/$1.new"
	mv "$others/$1.new" "$others/$1"
}

# boots_until TEXT "VM WORDS" FILE [FILE2]: the machine runs until its console shows the text; $output is
# the console so far. (Neither guest ends by itself.)
boots_until() {
	local console=$BATS_TEST_TMPDIR/console boot
	make_iso "" "$3" "vm t $2" ${4:+"$4" initrd}
	tools/boot --engine "$ENGINE" --mem 512 --timeout 3000 "$iso" >"$console" 2>&1 3>&- &
	boot=$!
	until grep -q -- "$1" "$console" || ! kill -0 "$boot" 2>/dev/null; do sleep 1; done
	kill -TERM "$boot" 2>/dev/null || true
	wait "$boot" || true
	output=$(tr -d '\r' <"$console")
}

# Its last line that needs no VMX, and the first of its dom0.
@test "Xen boots, and starts Linux as its dom0" {
	local package=xen-hypervisor-4.17-amd64
	unpack "$package"
	gunzip -c "$others/$package/boot/xen-4.17-amd64.gz" >"$others/xen"
	boots_until 'about to get started' "mem=256M iommu=on -- no-real-mode com1=115200,8n1 console=com1" \
		"$others/xen" "$BUILD/linux/vmlinuz"
	has 't\| \(XEN\) Xen version 4\.17\..*' 't\| \(XEN\) \*\*\* Serial input to DOM0 .*' \
		't\| \(XEN\) Freed [0-9]+kB init memory' 't\| about to get started\.\.\.'
	lacks 'killed|Panic'
}

# It tests for ever: up to its test #5, and its screen counts the errors.
@test "memtest86+ finds no error up to its test 5" {
	unpack memtest86+
	boots_until '#5  \[' "mem=16M -- console=ttyS0,115200 nobench nosmp" \
		"$others/memtest86+/boot/memtest86+x64.bin"
	grep -q '#4  \[Moving inversions, 8 bit pattern\]' <<<"$output"
	grep -q 'Errors: 0 ' <<<"$output"
	lacks 'Errors: [1-9]|killed'
}
