# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Debian's stock cloud kernel, from its package: fetched and unpacked, never installed. Sourced by
# the engine nested, whose outer Linux it is, and by tools/linux, which makes a guest of it.
kernel_package=linux-image-cloud-amd64

# The version that would be fetched; nothing where apt's lists are absent.
kernel_candidate() {
	apt-cache policy "$kernel_package" 2>/dev/null | grep 'Candidate: [0-9]'
}

# Fetch the kernel's package (the one that the empty package names) and unpack it to $1. Where apt's
# lists are absent or older than the archive, they are brought up to date.
kernel_unpack() {
	kernel_fetch "$1" || {
		kernel_as_root apt-get -q update
		kernel_fetch "$1"
	}
	dpkg -x "$1"/*.deb "$1"
	[ -e "$1/lib" ] || ln -s usr/lib "$1/lib" # Debian 13: all modules are in /usr/lib, packed
	find "$1/lib/modules/" -name '*.ko.xz' -exec xz -d {} +
	PATH=$PATH:/sbin:/usr/sbin depmod -b "$1" "$(ls "$1/lib/modules")"
}

kernel_fetch() {
	local package
	package=$(apt-cache depends "$kernel_package" | sed -n 's/^ *Depends: \(linux-image-\)/\1/p' | head -n 1)
	[ -n "$package" ] && (cd "$1" && apt-get -q download "$package")
}

kernel_as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Copy the modules $3... of the kernel in $1 and what they depend on to $2, without what only a
# debugger, a tracer or a signature check reads (the kernel would work through it all: loading KVM
# takes a sixth of the time without), and their order.
kernel_modules() {
	local from=$1 to=$2 module PATH=$PATH:/sbin:/usr/sbin
	shift 2
	mkdir -p "$to"
	for module in "$@"; do
		modprobe -d "$from" -S "$(ls "$from/lib/modules")" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
		objcopy --strip-debug -R .BTF -R __mcount_loc -R ".orc_unwind*" "$module" "$to/${module##*/}"
		echo "${module##*/}" >>"$to/order"
	done
}
