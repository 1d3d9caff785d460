# shellcheck shell=bash disable=SC2154 # the variables of tools/boot: dir, image, mem, cpus, ...
# SPDX-License-Identifier: MIT
# The engine bochs: Debian's Bochs, whose VMX is software and needs none of the host. Sourced by
# tools/boot. Runs at the same time do not meet: each has its own copy of the image, the display
# `term` needs no port (in Debian's build it opens a pseudo-terminal by itself), and the console's
# port is the kernel's choice.

bochs_share=${BXSHARE:-/usr/share/bochs} # Bochs's own variable
bochs_bios=BIOS-bochs-latest bochs_other_bios=BIOS-bochs-legacy
bochs_remembered=$(realpath -m "${BUILD:-build}")/bochs-bios # there when only the other starts this Bochs
bochs_most_cpus=15 # of Debian's; with more it runs out of timers
bochs_ips=20000000
bochs_cpu_model=corei7_skylake_x

bochs_check() {
	local file
	command -v bochs >/dev/null || fail 2 "bochs is missing: run tools/need bochs"
	for file in "$bochs_bios" VGABIOS-lgpl-latest; do
		[ -r "$bochs_share/$file" ] || fail 2 "$bochs_share/$file is missing: run tools/need bochs"
	done
	[ -n "$(find /usr/lib -name libbx_term_gui.so -print -quit 2>/dev/null)" ] ||
		fail 2 "the Bochs display 'term' is missing: run tools/need bochs"
	[ -z "$cpu_model" ] || grep -qx -- "$cpu_model" < <(bochs --help cpu 2>&1) ||
		fail 2 "unknown CPU model $cpu_model: expected one that bochs --help cpu lists"
	[ "${cpus:-1}" -le $bochs_most_cpus ] || fail 2 "--cpus $cpus: expected at most $bochs_most_cpus on Bochs"
	[ "${mem:-0}" -le 2048 ] || echo "tools/boot: --mem $mem: Bochs swaps beyond 2048 MiB: slow, and bytes were lost when all was in use" >&2
}

# Print a configuration without disks: $1 CPU model, $2 CPUs, $3 MiB, $4 the port of the console.
# A reset loop cannot happen: a triple fault is fatal here, and console.pl ends the machine at any
# other reset. What a guest does wrong is an error to Bochs, an EPT violation too: it is logged for who keeps the log.
# The BIOS's menu would stand for three seconds of the machine's time, which CPUs that wait for their start-up IPI make long.
bochs_config() {
	cat <<-END
		config_interface: textconfig
		display_library: term
		cpu: model=$1, count=$2, ips=$bochs_ips, reset_on_triple_fault=0
		memory: guest=$3, host=$(($3 < 2048 ? $3 : 2048))
		romimage: file=$bochs_share/$(cat "$bochs_remembered" 2>/dev/null || echo "$bochs_bios"), options=fastboot
		vgaromimage: file=$bochs_share/VGABIOS-lgpl-latest
		boot: disk
		clock: sync=none
		$4: enabled=1, mode=socket-client, dev=127.0.0.1:PORT
		port_e9_hack: enabled=1
		sound: waveoutdrv=dummy, waveout=none, waveindrv=dummy, wavein=none, midioutdrv=dummy, midiout=none
		speaker: enabled=0
		plugin_ctrl: gameport=0, iodebug=0, parallel=0, extfpuirq=0, speaker=0
		log: log.fifo
		panic: action=fatal
		error: action=$([ -n "${keep:-}" ] && echo report || echo ignore)
		info: action=report
		debug: action=ignore
	END
}

# Copy an image for Bochs: a flat disk is a whole number of 16 heads x 63 sectors.
bochs_disk() {
	local cylinder=$((16 * 63 * 512)) size
	cp "$1" "$2"
	size=$(stat -c %s "$2")
	truncate -s $(((size + cylinder - 1) / cylinder * cylinder)) "$2"
}

# Run Bochs with the configuration $dir/bochsrc, whose paths are relative to $dir (which may hold
# blanks); its console comes out on standard output, port 0xe9 and the debugger's own lines (where
# it has the debugger) in $dir/out.
# Where the first BIOS does not come as far as the disk's boot sector, the other is tried.
bochs_command() {
	cd "$dir" || return
	cp "$dir/bochsrc" "$dir/bochsrc.first" # console.pl writes the port into it
	bochs_once
	bochs_bios_failed || return 0
	sed "s|/$bochs_bios,|/$bochs_other_bios,|" "$dir/bochsrc.first" >"$dir/bochsrc"
	bochs_once
	bochs_bios_failed || { mkdir -p "${bochs_remembered%/*}" && echo "$bochs_other_bios" >"$bochs_remembered"; }
}

bochs_once() {
	printf '%s\n' c q >"$dir/debugger"
	rm -f "$dir"/*.lock "$dir/log.fifo"
	mkfifo "$dir/log.fifo"
	TERM=dumb perl "$tools/engines/console.pl" "$dir" \
		setpriv --pdeathsig KILL bochs -q -f "$dir/bochsrc" -rc "$dir/debugger" 2>"$dir/err"
}

# Did the machine triple-fault before its BIOS said that it boots? And is there another BIOS to try?
bochs_bios_failed() {
	grep -q '>>PANIC<< .*exception' "$dir/log" && ! grep -q 'BIOS.*Booting from' "$dir/log" &&
		[ -r "$bochs_share/$bochs_other_bios" ]
}

bochs_run() {
	bochs_disk "$image" "$dir/disk.img"
	bochs_config "${cpu_model:-$bochs_cpu_model}" "$cpus" "$mem" com1 >"$dir/bochsrc"
	echo "ata0-master: type=disk, path=disk.img, mode=flat, cylinders=0" >>"$dir/bochsrc"
	bochs_command
}

# Why the machine ended, from Bochs's log: its last panic, or the reset that it was stopped at.
bochs_why() {
	local panic
	panic=$(sed -n 's/^[0-9]*p\[[^]]*\] *>>PANIC<< *//p' "$dir/log" 2>/dev/null | tail -n 1)
	if [ -n "$panic" ]; then
		echo "Bochs says: $panic"
	elif [ "$(grep -c 'bx_pc_system_c::Reset(' "$dir/log")" -gt 1 ]; then
		echo "the machine was reset"
	else
		tail -n 1 "$dir/err" 2>/dev/null
	fi
}

# What came out of port 0xe9: Bochs's output behind its banner and, where it has the debugger
# (Debian 12's has), between the prompts of each CPU at power-on and the one where the machine ended.
bochs_trace() {
	perl -0777 -pe 's/\A=+\n.*?\n=+\n//s; s/\ANext at t=0\n(\(\d+\) \[0x[^\n]*\n)+//; s/(\(\d+\)\.\[\d+\] \[0x[^\n]*\n)+\z//' "$dir/out"
}
