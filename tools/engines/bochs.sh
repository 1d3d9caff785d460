# shellcheck shell=bash disable=SC2154 # the variables of tools/boot: dir, image, mem, cpus, ...
# SPDX-License-Identifier: MIT
# The engine bochs: Debian's Bochs, whose VMX is software and works everywhere. Sourced by
# tools/boot. Runs at the same time do not meet: each has its own copy of the image, the display
# `term` needs no port (in Debian's build it opens a pseudo-terminal by itself), and the console's
# port is the kernel's choice.

bochs_share=/usr/share/bochs

bochs_check() {
	local file
	command -v bochs >/dev/null || fail 2 "bochs is missing: run tools/need bochs"
	for file in BIOS-bochs-latest VGABIOS-lgpl-latest; do
		[ -r "$bochs_share/$file" ] || fail 2 "$bochs_share/$file is missing: run tools/need bochs"
	done
	[ -n "$(find /usr/lib -name libbx_term_gui.so -print -quit 2>/dev/null)" ] ||
		fail 2 "the Bochs display 'term' is missing: run tools/need bochs"
}

# Print a configuration. $1 CPU model, $2 CPUs, $3 MiB, then the `ata` lines as one string.
# An infinite reset loop cannot happen: a triple fault is fatal here, and bochs_command stops at
# the second power-on self test.
bochs_config() {
	cat <<-END
		config_interface: textconfig
		display_library: term
		cpu: model=$1, count=$2, ips=20000000, reset_on_triple_fault=0
		memory: guest=$3, host=$(($3 < 2048 ? $3 : 2048))
		romimage: file=$bochs_share/BIOS-bochs-latest
		vgaromimage: file=$bochs_share/VGABIOS-lgpl-latest
		boot: disk
		clock: sync=none
		com1: enabled=1, mode=socket-client, dev=127.0.0.1:PORT
		port_e9_hack: enabled=1
		sound: waveoutdrv=dummy, waveout=none, waveindrv=dummy, wavein=none, midioutdrv=dummy, midiout=none
		speaker: enabled=0
		plugin_ctrl: gameport=0, iodebug=0, parallel=0, extfpuirq=0, speaker=0
		log: $dir/log
		panic: action=fatal
		error: action=report
		info: action=report
		debug: action=ignore
		$4
	END
}

# Copy an image for Bochs: a flat disk is a whole number of 16 heads x 63 sectors.
bochs_disk() {
	local cylinder=$((16 * 63 * 512)) size
	cp "$1" "$2"
	size=$(stat -c %s "$2")
	truncate -s $(((size + cylinder - 1) / cylinder * cylinder)) "$2"
}

# Run Bochs with the configuration $1; COM1 comes out on standard output, port 0xe9 and the
# debugger's own lines in $dir/out. The debugger (Debian's build has it) is only used to stop at a
# reset: the BIOS's entry to the power-on self test is passed once, and at the second time ends all.
bochs_command() {
	printf '%s\n' 'pb 0xfe05b' c c q >"$dir/debugger"
	TERM=dumb exec perl "$tools/engines/com1.pl" "$1" "$dir/out" \
		bochs -q -f "$1" -rc "$dir/debugger" 2>"$dir/err"
}

bochs_run() {
	bochs_disk "$image" "$dir/disk"
	bochs_config "$cpu_model" "$cpus" "$mem" "ata0-master: type=disk, path=$dir/disk, mode=flat, cylinders=0" \
		>"$dir/bochsrc"
	bochs_command "$dir/bochsrc"
}

# Why the machine ended, from Bochs's log: its last panic, or the reset that it was stopped at.
bochs_why() {
	local panic
	panic=$(sed -n 's/^[0-9]*p\[[^]]*\] *>>PANIC<< *//p' "$dir/log" 2>/dev/null | tail -n 1)
	if [ -n "$panic" ]; then
		echo "Bochs says: $panic"
	elif [ "$(grep -c 'Breakpoint 1, ' "$dir/out" 2>/dev/null)" -gt 1 ]; then
		echo "the machine was reset"
	else
		tail -n 1 "$dir/err" 2>/dev/null
	fi
}

# What came out of port 0xe9: Bochs's output between the debugger's prompt at the first self test
# and the one where it ended.
bochs_trace() {
	perl -0777 -pe 's/\A.*?\n\(0\) Breakpoint 1, .*?\nNext at t=\d+\n[^\n]*\n//s;
		s/\(\d+\)(\.\[\d+\] \[0x| Breakpoint 1, ).*\z//s' "$dir/out"
}
