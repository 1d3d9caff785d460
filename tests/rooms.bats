#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tools/lint: each rule of the rooms is broken once, in a copy of the tree, and the lint must say so,
# naming the place. The copy without a change is clean.
bats_require_minimum_version 1.5.0

setup_file() {
	export TREE=$BATS_FILE_TMPDIR/tree
	cd "$BATS_TEST_DIRNAME/.." || return
	mkdir "$TREE"
	git ls-files -z -- ':!tests/fuzz/corpus' | xargs -0 cp --parents -t "$TREE"
	git -C "$TREE" init -q
	git -C "$TREE" add -A
	git -C "$TREE" -c user.name=test -c user.email=test commit -qm tree
}

setup() {
	cd "$TREE" || return
}

# The tree is again what it was.
undo() {
	git reset -q --hard
	git clean -qfd
}

teardown() {
	undo
}

# add FILE LINE...: a new file that git knows, of these lines below its SPDX line.
add() {
	{
		echo '/* SPDX-License-Identifier: MIT */'
		printf '%s\n' "${@:2}"
	} >"$1"
	git add -N "$1"
}

clean() {
	run tools/lint "$@"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

# red CHECK TEXT: the check fails, and a line of it holds the text.
red() {
	run tools/lint "$1"
	[ "$status" -eq 1 ] && grep -qF -- "$2" <<<"$output" || { echo "status $status: $output"; return 1; }
}

@test "the tree as it is breaks no rule of the rooms" {
	clean walls rooms opening callers waits headers lines
}

@test "an include that tools/rooms does not allow" {
	echo '#include "hv/vm/vm.h"' >>hv/machine/timer.c
	red walls 'wrong include: hv/machine/timer.c'
}

@test "a pure room that includes what has hardware, or the CPU's instructions" {
	echo '#include "hv/machine/console.h"' >>ept/zap.c
	red walls 'wrong include: ept/zap.c'
	undo
	echo '#include "lib/asm.h"' >>hv/load/elf.c
	red walls 'wrong include: hv/load/elf.c'
	undo
	echo '#  include <immintrin.h>' >>lib/format.c
	red walls 'wrong include: lib/format.c'
}

@test "a pure room that the table lets include an impure one" {
	sed -i 's|^hv/check \*:|& hv/machine|' tools/rooms
	red walls 'tools/rooms: hv/check is pure and may include hv/machine'
}

@test "a circle of rooms, in the table and in the code" {
	sed -i 's|^hv/machine:|& hv/vm|' tools/rooms
	red walls 'circle of rooms: hv/machine'
	undo
	echo '#include "hv/load/load.h"' >>hv/dev/acpi.c
	red walls 'circle of rooms: hv/dev'
}

@test "assembly in a pure room" {
	echo 'void f(void) { __asm__ volatile("hlt"); }' >>hv/options/options.c
	red walls 'assembly in a pure room: hv/options/options.c'
	undo
	add hv/dev/port.asm
	red walls 'assembly in a pure room: hv/dev/port.asm'
}

@test "a folder without a row" {
	mkdir hv/new
	add hv/new/new.c '/* What nobody has thought of yet. */'
	red walls 'tools/rooms: hv/new has no row'
	red rooms 'hv/new/new.c'
}

@test "a room whose README.md says another thing than the table, or is not there" {
	sed -i 's|`hv/machine`|`hv/check`|' hv/vmx/README.md
	red rooms 'hv/vmx/README.md lacks: - May include: '
	undo
	sed -i '/^- Pure/d' ept/README.md
	red rooms 'ept/README.md lacks: - Pure'
	undo
	rm hv/dev/README.md
	red rooms 'hv/dev/README.md lacks: '
}

@test "code that make links as pure and that lies in no pure room, or the other way round" {
	sed -i 's|^PURE := .*|& hv/vm/fpu.c|' Makefile
	red rooms '< hv/vm/fpu.c'
	undo
	sed -i 's|^PURE := .*|PURE := $(filter-out hv/load/elf.c,$(wildcard $(PURE_ROOMS:%=%/*.c)))|' Makefile
	red rooms '> hv/load/elf.c'
}

@test "a file of code without an opening sentence" {
	add hv/dev/mute.c '#include "hv/dev/bus.h"'
	red opening 'no opening sentence: hv/dev/mute.c'
	undo
	add hv/dev/mute.h '/* Mute. */'
	red opening 'no opening sentence: hv/dev/mute.h'
	undo
	printf '%s\n' '#!/bin/bash' '# SPDX-License-Identifier: MIT' 'true' >tools/need
	red opening 'no opening sentence: tools/need'
}

@test "a file of the image that says at its opening who calls it" {
	sed -i '0,/It only records\./s//It only records. Called by the queue alone./' iommu/fault.c
	red callers 'who calls it: iommu/fault.c:'
}

@test "a header that does not compile alone" {
	add hv/dev/lone.h '/* What uses a type that it does not bring along. */' 'uint8_t lone(void);'
	red headers 'does not compile alone: hv/dev/lone.h'
}

@test "more lines of code than the budget; blanks and comments do not count" {
	before=$(tools/lint lines | sed -n 's/^# *\([0-9]*\) in the image/\1/p')
	add hv/dev/long.c '/* Two lines of comment' ' * and a blank one. */' '' 'int one; // one' \
		'int two; /* two */ /* and' ' more */ int three;'
	after=$(tools/lint lines | sed -n 's/^# *\([0-9]*\) in the image/\1/p')
	[ "$after" -eq $((before + 3)) ]
	seq -f 'int n%g;' 18000 >>hv/dev/long.c
	red lines 'budget 18000'
}

@test "a file of a room that the tour does not name" {
	add hv/exits/hlt.c '/* A handler that nobody has told of. */'
	red docs 'docs/tour.md does not name: hv/exits/hlt.c'
}

@test "a count of lines in the tour that is not true any more" {
	seq -f '/* %g */' 60 >>ept/slot.c
	red docs 'tools/tour counts anew'
	tools/tour
	clean docs
}

@test "a page whose prose is wider than the others" {
	printf 'word %.0s' {1..25} >>docs/TRICKS.md
	red docs 'wider than 120 columns: docs/TRICKS.md'
}

@test "a page that names a function or a path that is not there" {
	echo 'See `no_such_function()` and `hv/vm/nothing.c`.' >>docs/TRICKS.md
	red docs 'no_such_function'
	red docs 'hv/vm/nothing.c'
}

@test "a CPU that waits for another without a pause" {
	sed -i 's|\(while (__atomic_load_n(&gate->inside, .*)\) cpu_pause();|\1\n\t\t;|' hv/machine/gate.h
	red waits 'waits without cpu_pause(): hv/machine/gate.h'
}
