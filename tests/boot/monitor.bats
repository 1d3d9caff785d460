#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# The monitor, by scripts through a pipe: it stops guests where it was told to, shows what is there,
# goes on, and leaves nothing behind that a guest could see.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# script STATUS "SCRIPT" "OPTIONS" FILE "WORDS"...: boots with the script on standard input.
script() {
	local status_expected=$1 script=$2
	shift 2
	make_iso "$@"
	# shellcheck disable=SC2086 # several words
	run --separate-stderr tools/boot --engine "$ENGINE" --timeout 120 --interactive ${BOOT_OPTIONS:-} "$iso" \
		<<<"$script"
	[ "$status" -eq "$status_expected" ] || { show; return 1; }
}

demo() {
	script 0 "$1" "$2" "$G/noncoherent.elf" "vm demo $(words noncoherent) ${3:-} --"
	lacks FAIL
}

# after COMMAND: what it printed.
after() {
	awk -v command="$1" '/^hv: [a-z0-9-]*> / { on = substr($0, index($0, "> ") + 2) == command; next } on' <<<"$output"
}

@test "walk shows four levels, then why the page has its type" {
	demo 'walk 0x2240000' stop=vmcall
	has 'hv: monitor: stopped: vm demo: mark 3' 'hv: demo> walk 0x2240000'
	[ "$(after 'walk 0x2240000' | grep -c '^hv:   level [4321]: ')" -eq 4 ]
	[ "$(after 'walk 0x2240000' | head -n 1)" = 'hv:   guest-physical 0x2240000' ]
	has 'hv:   level 1: 0x[0-9a-f]+: 4K at 0x[0-9a-f]+, RWX, accessed, WC' \
		'hv:   count 1, CR0\.CD 0, MTRR variable 2 \(WC, 0x2240000\+256K\) over default WB: WC; not uniform over 2 MiB: 4K leaf; PAT entry 0 WB: effective WC \(SDM 3A table 12-7\)' \
		'hv:   table 12-7: row WC \(the leaf\), column WB \(PAT entry 0, assumed: a page with PAT 0, PCD 0, PWT 0\): WC'
}

@test "va walks the guest's own tables first, and sets no flag in them" {
	demo $'va 0x2240000\nva 0x2240000\nva 0x8000000000' stop=vmcall
	[ "$(after 'va 0x2240000' | grep -c 'guest entry at')" -eq 6 ] # 2M pages: three each
	[ "$(after 'va 0x2240000' | grep 'guest entry at' | sort -u | wc -l)" -eq 3 ]
	[ "$(after 'va 0x2240000' | grep -c 'guest-physical 0x2240000')" -eq 2 ]
	after 'va 0x2240000' | grep -qF "column WB (PAT entry 0, the page's PAT 0, PCD 0, PWT 0)"
	has 'hv:   0x8000000000 is not mapped: page fault, error code 0x0'
}

@test "ept, mtrr, iommu, exits, regs and vms show what is there" {
	demo $'ept\nmtrr\niommu\nexits\nregs\nvms' stop=vmcall
	has 'hv:   0x002240000-0x00227ffff +64 leaves of 4K, RWX, WC' \
		'hv:   0x002000000-0x0021fffff +1 leaves of 2M, RWX, UC' \
		'hv:   variable 2 \(WC, 0x2240000\+256K\)' 'hv:   fixed: 0x0\+640K WB' \
		'hv:   translation on, queue on, interrupt remapping off; root table 0x[0-9a-f]+, bus 0.s contexts 0x[0-9a-f]+' \
		'hv:   device 00:02.0: attached, noncoherent; context in memory: .*: domain 1, 39 bits, table 0x[0-9a-f]+; cached' \
		'hv:   device 00:03.0: not attached; context in memory: none \(not present\); (not )?cached' \
		'hv:   rip [0-9a-f]{16} rflags .*' \
		'hv: \* vm demo: stopped, 64 MiB, 1 vCPU, noncoherent count 1, [0-9]+ exits'
	after exits | grep -qE '^hv: vm demo: [0-9]+ exits, .* VMCALL'
}

@test "stop=transition stops at both, stop=entry before anything, and continue goes on to the next" {
	demo $'vms\ncontinue\nvms' stop=transition
	[ "$(grep -c '^hv: monitor: stopped: vm demo: noncoherent count' <<<"$output")" -eq 2 ]
	has 'hv: \* vm demo: .*, noncoherent count 1, .*' 'hv: \* vm demo: .*, noncoherent count 0, .*' \
		'hv: monitor: the input has ended: going on'
	lacks 'not carried out'
	demo $'vms\ncontinue' 'stop=entry stop=vmcall'
	has 'hv: monitor: stopped before the first entry' 'hv: monitor: stopped: vm demo: mark 3'
	demo 'vms' stop=entry
	has 'hv: monitor: stopped before the first entry' 'hv: \* vm demo: .*, noncoherent count 0, 0 exits'
}

@test "stop=kill stops where a VM was killed, stop=exit at every end; not at the other" {
	script 1 $'vms\nregs' stop=kill "$G/hello.elf" "vm good mem=32M --" "$G/faults.elf" "vm bad mem=32M -- triple"
	has 'hv: monitor: stopped: vm bad: killed' 'hv:   vm bad: killed, .*'
	# What it was is still there to be looked at; of one that ended before, no more.
	script 1 $'vm bad\nregs\nwalk 0x100000\ncontinue\nvm bad\nregs' stop=exit "$G/faults.elf" "vm bad mem=32M -- triple" \
		"$G/faults.elf" "vm good mem=32M -- spin-long"
	[ "$(after regs | grep -c '^hv:   rip ')" -eq 1 ]
	has 'hv:   level 1: 0x[0-9a-f]+: 4K at .*' 'hv: vm bad has ended, and gave back what it had'
	script 1 vms stop=kill "$G/hello.elf" "vm good mem=32M --" "$G/faults.elf" "vm bad mem=32M -- triple"
	lacks 'stopped: vm good'
	script 0 $'vms\ncontinue' stop=exit "$G/hello.elf" "vm good mem=32M --"
	has 'hv: monitor: stopped: vm good: exited with status 0' 'hv: \* vm good: exited, .*' 'hv: end: status 0'
}

@test "step carries out one instruction, and the guest goes on as if nothing had been" {
	local steps=12 want
	demo "$(yes step | head -n $steps)" stop=vmcall
	has 'hv: vm demo: exited with status 0'
	[ "$(grep -c 'vcpu 0: rip' <<<"$output")" -eq $steps ]
	# Behind VMCALL in straight line: the addresses that the disassembler has.
	want=$(objdump -d "$G/noncoherent.elf64" | awk '/<vmcall_mark>:/ { on = 1 }
		on && after && NF { sub(":", "", $1); print "0x" $1; if (++n == 3) exit }
		on && /vmcall *$/ { after = 1; skip = 1; next }' | sed -n '2,3p')
	[ "$(sed -nE 's/^hv: vm demo: vcpu 0: rip (0x[0-9a-f]+),.*/\1/p' <<<"$output" | head -n 1)" = "$(head -n 1 <<<"$want")" ]
	# Each is where an instruction begins.
	sed -nE 's/^hv: vm demo: vcpu 0: rip 0x([0-9a-f]+),.*/\1/p' <<<"$output" | sort -u >"$BATS_TEST_TMPDIR/rips"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/rips")" -ge 4 ]
	while read -r rip; do
		objdump -d "$G/noncoherent.elf64" | grep -q "^ *$rip:"
	done <"$BATS_TEST_TMPDIR/rips"
}

@test "a guest that steps itself, and one under a step, both see what a CPU does" {
	script 0 $'step\nstep\nstep\nstep\nstep\nstep\nstep\nstep\ncontinue' stop=entry "$G/faults.elf" "vm t mem=32M -- debug"
	lacks FAIL
	[ "$(grep -c 'vcpu 0: rip' <<<"$output")" -eq 8 ]
}

@test "two VMs: vm chooses, kill ends one of them, the other goes on" {
	script 1 $'vm b\nvms\nkill\nvm x\nvm' stop=entry "$G/hello.elf" "vm a mem=32M --" "$G/hello.elf" "vm b mem=32M --"
	has 'hv: a> vm b' 'hv: \* vm b: .*' 'hv: vm b: killed: by the operator' 'hv: vm a: exited with status 0' \
		"hv: 'x' is no VM: expected a name that vms lists" "hv: vm '' is not understood, expected vm NAME"
}

@test "quit ends the machine; its VMs are killed by the operator" {
	script 1 'quit' stop=entry "$G/hello.elf" "vm a mem=32M --"
	has 'hv: vm a: killed: by the operator' 'hv: end: status 1'
}

@test "what is not understood is named, with what was expected; help lists every command" {
	demo $'walk\nwalk 12x\nwalk 0x\nregs 1\nfrob\nvms all\ntrace maybe\n  \nhelp' stop=entry
	has "hv: walk '' is not understood, expected walk GPA" "hv: walk '12x' .*" "hv: walk '0x' .*" \
		'hv: vCPU 1: vm demo has 1, from 0' "hv: 'frob' is no command: help lists them" \
		"hv: vms 'all' is not understood, expected vms *" "hv: 'maybe' is not understood, expected trace on or trace off"
	local command
	for command in help vms vm regs walk va ept mtrr iommu exits trace pause continue step kill quit; do
		after help | grep -qE "^hv:   $command +"
	done
}

@test "lines of a script for which no stop comes any more are told of, in one line" {
	demo $'vms\ncontinue\nvms\ncontinue\nregs\nept' stop=transition
	[ "$(grep -c 'hv: demo> vms' <<<"$output")" -eq 2 ]
	has 'hv: monitor: no further stop: 2 lines of the input not carried out'
	lacks 'hv: demo> regs'
	demo $'continue\nregs' stop=kill,entry
	has 'hv: monitor: no further stop: 1 line of the input not carried out'
}

@test "with no stop to come, what is typed behind continue is the guest's" {
	script 0 $'vms\ncontinue\nsesame' stop=entry "$G/terminal.elf" "vm t mem=32M --"
	has 'hv: \* vm t: stopped, .*' 't\| typed: sesame'
	lacks 'not carried out'
}

@test "a last line without an end is carried out" {
	make_iso stop=vmcall "$G/noncoherent.elf" "vm demo $(words noncoherent) --"
	run --separate-stderr tools/boot --engine "$ENGINE" --timeout 120 --interactive "$iso" < <(printf 'vms\nept')
	has 'hv: demo> ept' 'hv:   [0-9]+ runs in [0-9]+ tables; .*' 'hv: monitor: the input has ended: going on'
}

@test "without input a stop says so and goes on" {
	boots 0 stop=transition "$G/noncoherent.elf" "vm demo $(words noncoherent) --"
	has 'hv: monitor: stopped: vm demo: .*' 'hv: monitor: the input has ended: going on' 'hv: vm demo: exited with status 0'
}

@test "4 KiB pasted arrive whole: every command of them is carried out" {
	demo "$(yes 'vm pasted' | head -n 409)" stop=entry # 10 bytes each
	[ "$(grep -c "^hv: 'pasted' is no VM" <<<"$output")" -eq 409 ]
}

@test "Ctrl-A c opens the monitor while guests run; pause, continue; Ctrl-A c leaves it" {
	make_iso "" "$G/faults.elf" "vm t mem=32M -- spin-enabled"
	local out=$BATS_TEST_TMPDIR/out
	# shellcheck disable=SC2094 # the input waits for the output
	{
		until grep -q '^t| spin-enabled' "$out" 2>/dev/null; do sleep 0.1; done
		printf '\001cpause\nvms\nregs\nstep\ncontinue\nvms\n\001c\001h'
	} | tools/boot --engine "$ENGINE" --interactive --timeout 120 "$iso" >"$out"
	output=$(<"$out")
	has 'hv: t> pause' 'hv: \* vm t: stopped, .*' 'hv: \* vm t: running, 32 MiB, .*' 'hv: monitor: left' \
		'hv: Ctrl-A h: this help; .*' 'hv: vm t: exited with status 0'
}

@test "trace on by the monitor begins a trace, trace off ends it" {
	BOOT_OPTIONS="--trace $BATS_TEST_TMPDIR/trace"
	demo $'trace on\ncontinue\ntrace off\ncontinue' stop=vmcall
	run --separate-stderr -0 tools/trace --summary "$BATS_TEST_TMPDIR/trace"
	[ -z "$stderr" ] && [[ $output == *"demo "*"EPT violation"* ]]
}

@test "port 0xe9 has one use: no trace by the monitor with console=e9" {
	demo 'trace on' 'stop=entry console=e9'
	has "hv: port 0xe9 is the console's \(console=e9\)"
}

@test "a trace may begin when one VM has ended and gave back its tables: the other's leaves are told" {
	BOOT_OPTIONS="--trace $BATS_TEST_TMPDIR/trace"
	script 0 $'continue\ntrace on\ncontinue' stop=exit "$G/hello.elf" "vm short mem=32M --" "$G/faults.elf" "vm long mem=32M -- spin-long"
	run --separate-stderr tools/trace "$BATS_TEST_TMPDIR/trace"
	grep -q 'long.0 all leaves: 0x' <<<"$output"
	lacks 'short.0 all leaves'
}

# rips VCPU: where the steps of that vCPU ended.
rips() {
	sed -nE "s/^hv: vm t: vcpu $1: rip 0x([0-9a-f]+),.*/\1/p" <<<"$output"
}

@test "a VM on two CPUs: registers and steps of both, where they are, and it goes on as if nothing had been" {
	local rip
	BOOT_OPTIONS="--cpus 2" script 0 $'regs 0\nregs 1\nstep 1\nstep 1\nstep 1\nstep\nstep 1\nmtrr 1\ncontinue\n\001wregs 1' \
		stop=transition "$G/smp.elf" "vm t mem=64M iommu=on dev=edu cpus=2 -- deaf rounds=3"
	lacks FAIL
	has 'hv: vm t: exited with status 0' 'hv:   CR0\.CD 0, IA32_PAT 0x[0-9a-f]+'
	# Two stacks: the registers are each one's own.
	[ "$(sed -nE 's/^hv:   rip .* rsp ([0-9a-f]+)$/\1/p' <<<"$output" | head -n 2 | sort -u | wc -l)" -eq 2 ]
	# Four steps and a look at the other CPU's, each in the loop in which it spins, each step further; one and a look here.
	[ "$(rips 1 | wc -l)" -eq 5 ] && [ "$(rips 1 | head -n 4 | uniq | wc -l)" -eq 4 ] && [ "$(rips 0 | wc -l)" -eq 2 ]
	objdump -d --disassemble=spin_deaf "$G/smp.elf64" >"$BATS_TEST_TMPDIR/loop"
	for rip in $(rips 1); do grep -q "^ *$rip:" "$BATS_TEST_TMPDIR/loop"; done
}
