# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # variables that bats sets
# What the tests of Linux as a guest share. Sourced behind boot.bash.

# transitions: of the console of linux-vfio or linux-edu in $output, each step and what it did to the noncoherent count:
# ^ for 0 -> 1, v for 1 -> 0, - for neither. A step that is not the same in every round is told as
# often as it differs. The boot is before the first step, switching off behind the last.
transitions() {
	tr -d '\r' <<<"$output" | awk '
		function done() {
			if (step == "" || (step, marks) in seen) return
			seen[step, marks] = 1
			print step "|" (marks == "" ? "-" : marks)
		}
		BEGIN { step = "boot, translation on" }
		/^linux-(vfio|edu)\| (vfio|init): / {
			line = $0
			sub(/^linux-(vfio|edu)\| (vfio|init): /, "", line)
			if (line !~ /^(bind|unbind|remove) / && line !~ /^(open|close|(un)?load|rescan|SET_IRQS .*|[A-Z_]+|DMA .*)$/ &&
			    line != "all rounds are through") next
			done()
			step = line
			marks = ""
			sub(/ 0000:.*/, "", step)
			sub(/^all rounds.*/, "poweroff", step)
		}
		/noncoherent count 0 -> 1: cleared/ { marks = marks "^" }
		/noncoherent count 1 -> 0: cleared/ { marks = marks "v" }
		END { done() }'
}

# vfio_passed ROUNDS: linux-vfio was through with it, and every copy arrived.
vfio_passed() {
	lacks 'FAIL'
	has 'linux-vfio\| init: all rounds are through' 'hv: vm linux-vfio: exited with status 0' \
		'linux-vfio\| init: kernel: DMAR-IR: Enabled IRQ remapping in .*'
	[ "$(grep -c 'vfio: checksums .*: equal' <<<"$output")" -eq "$1" ]
}

# Where the tests of test-all keep each column of the table in docs/linux.md.
columns=$BUILD/linux-vfio

# transition_table: the rows of that table, of the columns in their order.
transition_table() {
	local column files=()
	for column in cm1 cm0 cm1-sc cm1-pt cm0-pt cm1-sc-pt two; do files+=("$columns/$column"); done
	awk -F'|' '
		FNR == 1 { column++ }
		!($1 in order) { order[$1] = ++rows; name[rows] = $1 }
		{ cell[$1, column] = cell[$1, column] (cell[$1, column] == "" ? "" : ", then ") $2 }
		END {
			for (row = 1; row <= rows; row++) {
				line = "| " name[row] " |"
				for (c = 1; c <= column; c++) line = line " " cell[name[row], c] " |"
				print line
			}
		}' "${files[@]}"
}
