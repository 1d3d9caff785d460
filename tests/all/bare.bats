#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# What a newcomer has: a bare Debian with git, make and gcc, in which `make run` installs the rest,
# builds without a warning and boots the demonstration. The systems are made by debootstrap under
# $BUILD and removed again; the archive is the one that this machine's apt uses. Needs root, mounts of
# its own (nothing stays mounted: they are in a namespace that ends with the run) and a Debian archive.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load ../boot/boot.bash
	root=$BUILD/bare/$BATS_TEST_NUMBER
	[ "$(id -u)" -eq 0 ] || skip "debootstrap needs root"
	unshare --mount --pid --fork true 2>/dev/null || skip "no mounts of our own here"
	archive=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' |
		sed -n 's/^Debian Debian //p' | head -n 1)
	[ -n "$archive" ] || skip "apt here knows no Debian archive"
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	export http_proxy=${proxy:-${http_proxy:-}}
	rm -rf "$root"
	mkdir -p "$root"
}

teardown() {
	rm -rf --one-file-system "$root"
}

# inside COMMAND...: as root in the bare system, with an environment of its own.
inside() {
	unshare --mount --pid --fork --kill-child bash -c '
		root=$1
		shift
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit
		exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			http_proxy="$http_proxy" "$@"' inside "$root" "$@" </dev/null 3>&-
}

# make_run CODENAME: the newcomer's first ten minutes.
make_run() {
	debootstrap --variant=minbase --include=git,make,gcc "$1" "$root" "$archive" \
		>"$BUILD/bare/$1.log" 2>&1 || { tail "$BUILD/bare/$1.log"; return 1; }
	cp /etc/resolv.conf "$root/etc/"
	mkdir "$root/leafcutter"
	git ls-files -z | xargs -0 tar -c --ignore-failed-read 2>/dev/null | tar -x -C "$root/leafcutter"
	run inside make --no-print-directory -C /leafcutter run
	echo "$output" >"$BUILD/bare/$1.console"
	[ "$status" -eq 0 ] || { show; return 1; }
	has 'tools/need: installed .*' 'demo\| [0-9]+ checks, 0 failed' 'hv: end: status 0'
	lacks 'warning:'
	# And a second time: nothing to install, nothing to build.
	run -0 inside make --no-print-directory -C /leafcutter run ENGINE=bochs GUEST=hello
	has 'hello\| Hello from 64-bit long mode\.' 'hv: end: status 0'
	lacks 'installed'
}

@test "a bare Debian 12: make run" {
	make_run bookworm
}

@test "a bare Debian 13: make run" {
	make_run trixie
}
