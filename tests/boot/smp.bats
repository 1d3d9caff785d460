#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Several CPUs, of the machine and of VMs: guest/smp checks what it sees, a line each; here it counts
# that all held, that the hypervisor used the CPUs there were, and that without its shootdown they
# do not hold.
bats_require_minimum_version 1.5.0

VM="mem=64M iommu=on dev=edu"

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	load boot.bash
}

# smp CPUS VCPUS ["WORDS"]: guest/smp on so many, alone.
smp() {
	BOOT_OPTIONS="--cpus $1 --timeout 900" boots 0 "" "$G/smp.elf" "vm t $VM cpus=$2 -- ${3:-}"
	lacks 'FAIL'
	has 'hv: vm t: exited with status 0'
}

# shootdown_costs CPUS MOST: in ticks, while all other CPUs spin in their guests. The image has a clock around it.
shootdown_costs() {
	has "hv: timed: $1 CPUs, 20 shootdowns: .*"
	[ "$(sed -n 's/^hv: timed: .* at most //p' <<<"$output")" -le "$2" ] || { show; return 1; }
}

@test "2 CPUs, a vCPU each: IPIs, a thousand attaches and detaches under fire; a shootdown costs at most 150 ticks, an idle CPU halts" {
	ELF=$BUILD/leafcutter-timed.elf smp 2 2 rounds=1000
	has 'hv: cpu: 2 of 2 started'
	shootdown_costs 2 150
	# While their vCPUs slept, they did.
	[ "$(sed -nE 's/^hv: timed: each CPU was halted for ([0-9]+) ticks or more$/\1/p' <<<"$output")" -ge 400000 ]
}

@test "4 CPUs and 8: a thousand attaches and detaches under fire" {
	long
	smp 4 4 rounds=1000
	smp 8 8 rounds=1000
}

@test "4 CPUs, a vCPU each: INIT and start-up from each state, IPIs in xAPIC and x2APIC mode" {
	smp 4 4 starts
	has 'hv: cpu: 4 of 4 started'
}

# smp_as "VM WORDS": the same of a VM with those words, 4 CPUs with a vCPU each.
smp_as() {
	local VM="$VM $1"
	smp 4 4 "rounds=5"
}

@test "4 vCPUs with coherence=model: each byte, on each CPU" {
	smp_as coherence=model
}

@test "4 vCPUs with transition=retype: leaves change in place while all are stopped" {
	smp_as transition=retype
	has 'hv: vm t: retyped [1-9][0-9]* leaves in [1-9][0-9]* tables'
}

@test "4 vCPUs with fill=table, with both, and with all three" {
	smp_as fill=table
	smp_as "transition=retype fill=table"
	smp_as "transition=retype fill=table coherence=model"
}

@test "4 vCPUs share 2 CPUs in slices" {
	smp 2 4 "patience=40 rounds=3"
}

@test "3 vCPUs on a machine with one CPU" {
	smp 1 3 "patience=40 rounds=3"
	lacks 'hv: cpu: .* started'
}

# tests/entry/late.c: CPU 1 never comes to its first line, 2 comes late, 3, slowly, and 4 cannot run guests, 5 is good.
@test "CPUs that do not come in time or lack what VMX needs are left out, by name; the others go on" {
	ELF=$BUILD/leafcutter-late.elf BOOT_OPTIONS="--cpus 6" boots 0 "" "$G/smp.elf" "vm t $VM cpus=2 -- deaf rounds=2"
	lacks 'FAIL'
	has 'hv: cpu: the one with APIC id [12] did not come up in time; the others go on' \
		'hv: cpu: no EPT \(secondary VMX controls, capability 0x[0-9a-f]+\): .*' \
		'hv: cpu: its VMX capabilities are not those of the CPU that booted \(word [0-9]+ of .* is 0x[0-9a-f]+, expected 0x[0-9a-f]+\)' \
		'hv: cpu: the one with APIC id [34] is left out' 'hv: cpu: 2 of 6 started' \
		't\| ok .* a CPU that spins with interrupts off uses no translation from before' 'hv: vm t: exited with status 0'
	[ "$(grep -c 'did not come up in time' <<<"$output")" -eq 2 ]
	[ "$(grep -c 'is left out' <<<"$output")" -eq 2 ]
	# INIT ended the wait of the one; the other halts when it comes.
	[ "$(grep 'late:' <<<"$output")" = 'hv: late: the one with APIC id 2 comes after all' ]
	# Who is slow behind its first line is waited for, and has said what it lacks.
	grep -A 1 'cpu: no EPT' <<<"$output" | grep -qx 'hv: cpu: the one with APIC id 3 is left out'
}

@test "a segment register that is loaded in the CPU's place: its accessed flag is set, and nothing beside it is lost" {
	local VM="mem=64M dev=testdev"
	smp 2 2 segments
}

@test "firmware without a MADT: one CPU, and a line that says so" {
	local root=$BATS_TEST_TMPDIR/root iso=$BATS_TEST_TMPDIR/madt.iso
	mkdir -p "$root/boot/grub"
	cp "$BUILD/leafcutter.elf" "$G/hello.elf" "$root/boot"
	printf '%s\n' 'acpi --exclude=APIC' 'multiboot2 /boot/leafcutter.elf' \
		'module2 /boot/hello.elf vm t mem=32M cpus=2 --' 'boot' >"$root/boot/grub/grub.cfg"
	tools/grub-image "$iso" "$root" "acpi multiboot2"
	run -0 --separate-stderr tools/boot --engine "$ENGINE" --cpus 2 "$iso"
	has 'hv: cpu: 1 of 1: no MADT that lists the others was found' 'hv: vm t: exited with status 0'
	lacks 'started'
}

# restarts VM: it began anew at least once, and each time as new.
restarts() {
	local lives
	lives=$(grep -cx "hv: vm $1: .*: it starts again" <<<"$output")
	[ "$lives" -ge 1 ] && [ "$(grep -cx "$1| ok .* nobody from before writes" <<<"$output")" -eq $((lives + 1)) ]
	has "hv: vm $1: exited with status 0"
}

@test "a triple fault on any CPU, an INIT for the one that booted: the VM ends, or begins anew, and none of its CPUs writes on" {
	local again="reset=restart -- ends until=200000000"
	BOOT_OPTIONS="--cpus 2 --timeout 100" boots 1 "" "$G/smp.elf" "vm fault mem=32M cpus=2 -- ends by-fault" \
		"$G/smp.elf" "vm boot mem=32M cpus=2 -- ends" "$G/smp.elf" "vm faults mem=32M cpus=2 $again by-fault" \
		"$G/smp.elf" "vm inits mem=32M cpus=3 $again by-itself"
	lacks 'FAIL|defect'
	grep -A 1 -x 'hv: vm fault: killed: triple fault' <<<"$output" | grep -q '^hv:   vcpu 1: rip 0x'
	grep -A 1 -x 'hv: vm boot: killed: reset' <<<"$output" | grep -q '^hv:   vcpu 0: rip 0x'
	has 'hv: vm faults: triple fault: it starts again' 'hv: vm inits: reset: it starts again'
	restarts faults
	restarts inits
}

# thirdparty CPUS VCPUS: guest/thirdparty on so many.
thirdparty() {
	BOOT_OPTIONS="--cpus $1" boots 0 "" "$G/thirdparty.elf" "vm t $(words thirdparty) cpus=$2 --"
	lacks 'BAD'
	has 't\| good: as many CPUs as fw_cfg counts, by one broadcast' 't\| good: the MP table lists as many, or one for each package' \
		't\| good: no CPU saw the page from before a shootdown' 't\| done' 'hv: vm t: exited with status 0'
}

@test "a kernel written for qemu -kernel counts CPUs by fw_cfg, starts them by broadcast, shoots TLBs down" {
	thirdparty 4 4
	thirdparty 2 3
}

@test "VMs on several CPUs, one of several vCPUs, do not disturb each other" {
	BOOT_OPTIONS="--cpus 3" boots 0 "" "$G/noncoherent.elf" "vm demo $(words noncoherent) --" \
		"$G/smp.elf" "vm smp $VM cpus=2 -- rounds=5 patience=4" "$G/apic.elf" "vm apic $(words apic) --"
	lacks 'FAIL'
	has 'hv: vm demo: exited with status 0' 'hv: vm smp: exited with status 0' 'hv: vm apic: exited with status 0'
}

@test "what a VM writes is sent although the CPU that sends it has nothing else to do" {
	BOOT_OPTIONS="--cpus 3" boots 0 "" "$G/hello.elf" "vm a mem=16M --" "$G/smp.elf" "vm b mem=32M cpus=2 -- lines"
	has 'b\| ok 2 - 24 lines were sent in [0-9]+ ticks.*'
}

# storm CPUS: a vCPU that storms and one that only wants its share, on each CPU.
storm() {
	BOOT_OPTIONS="--cpus $1" boots 0 "" "$G/smp.elf" "vm storm $VM cpus=$1 -- storm ticks=40000000 patience=4" \
		"$G/smp.elf" "vm witness mem=32M cpus=$1 -- witness patience=4"
	lacks 'FAIL'
	has 'hv: vm storm: exited with status 0' 'hv: vm witness: exited with status 0'
	[ "$(grep -cE '^witness\| ok .* a third of the time was mine' <<<"$output")" -eq "$1" ]
	# The storm was there until the witness had measured.
	[ "$(grep -n 'hv: vm witness: exited' <<<"$output" | cut -d: -f1)" -lt \
		"$(grep -n 'hv: vm storm: exited' <<<"$output" | cut -d: -f1)" ]
}

@test "transitions, IPIs, MTRRs, CD and exits on each CPU: another VM has its third of each, and no wait beyond 4 M ticks" {
	storm 2
	storm 4
}

@test "without the preemption timer each CPU has another clock" {
	BOOT_OPTIONS="--cpus 2" boots 0 "mask=timer" "$G/hello.elf" "vm a mem=32M --" "$G/hello.elf" "vm b mem=32M --"
	has 'hv: vm a: exited with status 0' 'hv: vm b: exited with status 0'
}

@test "a checked build finds the right vCPU current and every lock in its order, on each CPU" {
	BOOT_OPTIONS="--cpus 3" ELF=$BUILD/leafcutter-checked.elf boots 0 "" \
		"$G/smp.elf" "vm a $VM cpus=3 -- rounds=10" "$G/iommu.elf" "vm iommu $(words iommu) --"
	has 'hv: end: status 0'
}

# Here INT 2 in front of the handler's IRET: as late as an NMI can come there, which is a few ticks.
@test "an NMI in the middle of an interrupt of the hypervisor does no harm" {
	local ELF=$BATS_TEST_TMPDIR/nmi.elf
	cp "$BUILD/leafcutter.elf" "$ELF"
	replace_code "$ELF" interrupt_stub cd0248cf
	BOOT_OPTIONS="--cpus 2" boots 0 mask=timer "$G/smp.elf" "vm t $VM cpus=2 -- rounds=1 patience=40"
}

# Here 20 in a row are too many, in the place of 1000.
@test "who comes second to a page after each transition has met no defect of the hypervisor" {
	local ELF=$BATS_TEST_TMPDIR/few.elf address bytes
	cp "$BUILD/leafcutter.elf" "$ELF"
	read -r address bytes < <(instructions "$ELF" exit_ept_violation 'cmp.*0x3e8')
	overwrite_code "$ELF" "$address" "${bytes/e8030000/14000000}"
	smp 4 4 "alike rounds=15"
}

# deaf STATUS CPUS "WORDS": guest/smp's first transitions, while all other CPUs spin in their guests, interrupts off.
deaf() {
	BOOT_OPTIONS="--cpus $2" boots "$1" "" "$G/smp.elf" "vm t $VM cpus=$2 -- deaf $3"
}

@test "with 8 CPUs a shootdown costs at most 250 ticks" {
	ELF=$BUILD/leafcutter-timed.elf deaf 0 8 rounds=10
	shootdown_costs 8 250
}

# fails_without CPUS "WORDS" FUNCTION...: it fails on a hypervisor in which the functions return at once.
fails_without() {
	local function ELF=$BATS_TEST_TMPDIR/broken.elf
	cp "$BUILD/leafcutter.elf" "$ELF"
	for function in "${@:3}"; do replace_code "$ELF" "$function" c3; done
	deaf 1 "$1" "$2"
}

# WBINVD on every CPU behind the INVEPT kicks them too: with it alone none stays in its guest. Both ways all are stale;
# what is written so is lost one way: the copy from before an attach is that from behind the detach as well.
@test "without kicks, and without waiting for their answers, stale translations are used: by the data, 2 CPUs, 4 and 8" {
	local cpus VM="$VM coherence=model"
	for cpus in 2 4 8; do
		fails_without "$cpus" rounds=1 push_out cpus_write_back
		has "t\\| FAIL .* found $((2 * cpus - 2)) stale translations, .*interrupts off uses no translation from before" \
			"t\\| FAIL .* found $((cpus - 1)) times nothing, .*what it writes then is seen on another"
	done
}

@test "the same with interrupts on, and where memory is not modelled" {
	fails_without 2 "rounds=1 interruptible" push_out cpus_write_back
	has 't\| FAIL .* found 2 stale translations.*'
}

# Who waits for the answer waits until the guest's slice is over: nothing stale is used, and that is what it costs.
@test "with only the kick taken out a transition takes a slice" {
	fails_without 2 rounds=10 kick
	has 't\| FAIL .*: a transition takes no longer than 100000 ticks'
	lacks 'FAIL.*stale'
}
