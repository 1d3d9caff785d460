# SPDX-License-Identifier: MIT
# What guest/bench says of transitions, from the consoles of tests/bench/transitions: tables in Markdown (not
# with held=1), then the figures that tests/bench/targets holds, MISSED where one is above it or absent. A VM's
# name is WAY-LEAVES-VCPUS, as in retype-4k-8. With held=1 rows that the page has too have to be as there.
function grouped(n,  s) {
	for (s = ""; length(n) > 3; n = substr(n, 1, length(n) - 3)) s = "," substr(n, length(n) - 2) s
	return n s
}

# The number before the first such text, or behind it.
function before(line, text) {
	line = substr(line, 1, index(line, text) - 1)
	sub(/.* /, "", line)
	return line + 0
}
function behind(line, text) { return substr(line, index(line, text) + length(text)) + 0 }

# Cells of one direction. Who makes a transition alone stands still as long as that takes.
function side(key,  still) {
	still = vcpus == 1 ? ticks[key] : others[key]
	return sprintf(" %s | %s | %s | %s | %s |", grouped(ticks[key]), grouped(still),
		invept[key] (again[key] ? " + " again[key] : ""), grouped(touching[key]), grouped(ticks[key] + touching[key]))
}

function head(section) {
	printf "\n%s\n\n| way | vCPUs | pages | 0 -> 1 | stood still | INVEPT | touching again | total |", section
	print " 1 -> 0 | stood still | INVEPT | touching again | total |"
	print "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
}

# 3 %, and the leaves that a guest of another size or with more to do beside has.
function compare(what, then, now,  i, n, was, is) {
	compared++
	gsub(/,/, "", then)
	gsub(/,/, "", now)
	n = split(then, was, "|")
	split(now, is, "|")
	for (i = 5; i <= n; i++)
		if (was[i] - is[i] > 0.03 * is[i] + 3000 || is[i] - was[i] > 0.03 * is[i] + 3000)
			missed = missed "MISSED: docs/transitions.md, " what " has" was[i] ", measured" is[i] "\n"
}

function table(leaves, types,  w, v, p, key, section, name, row) {
	section = (leaves == "4k" ? "4K leaves only" : "2M leaves where they may be") ", " types ":"
	if (!held) head(section)
	for (w = 1; w <= ways; w++)
		for (v = 1; v <= counts; v++)
			for (p = 1; p <= sizes; p++) {
				vcpus = count[v]
				key = way[w] SUBSEP leaves SUBSEP vcpus SUBSEP types SUBSEP size[p]
				# A retype loses no leaf: with masks all pages have been split or merged before, whatever the row.
				if (!((key, "up") in ticks) || (way[w] == "retype" && types != "one type" && size[p] != most)) continue
				name = "| " label[way[w]] " | " vcpus " | " size[p] / 1024 " K |"
				row = name side(key SUBSEP "up") side(key SUBSEP "down")
				if (!held)
					print row
				else if (types == "one type" && (section, name) in page) # the worst case is dearer in a larger VM
					compare(section " " name, page[section, name], row)
			}
}

# A figure below 0 is one that is not there.
function hold(what, value) {
	what = "transition: " what
	printf "%-66s %8s %8s\n", what, value < 0 ? "-" : sprintf("%.2f", value), target[what]
	if (target[what] == "" || value < 0 || value > target[what]) missed = missed "MISSED: " what "\n"
}

# The most of array / unit from 16 K pages on, with one vCPU.
function dearest(array, unit, w, direction,  p, key, value) {
	value = -1
	for (p = 2; p <= sizes; p++) {
		key = w SUBSEP "4k" SUBSEP 1 SUBSEP "one type" SUBSEP size[p] SUBSEP direction
		if ((key in array) && unit[key] && array[key] / unit[key] > value) value = array[key] / unit[key]
	}
	return value
}

# With masks all pages of a retype are concerned, whatever the row.
function worst_case(  r, z) {
	r = "retype" SUBSEP "4k" SUBSEP 1 SUBSEP holes SUBSEP most SUBSEP "up"
	z = "zap" SUBSEP "4k" SUBSEP 1 SUBSEP holes SUBSEP most SUBSEP "up"
	return (r in ticks) && (z in ticks) ? ticks[r] / (ticks[z] + touching[z]) : -1
}

# Less what the other leaves cost: the same transition over the fewest pages, as large leaves.
function merging(  all, other) {
	all = "retype" SUBSEP "2m" SUBSEP 1 SUBSEP holes SUBSEP most SUBSEP "down"
	other = "retype" SUBSEP "2m" SUBSEP 1 SUBSEP "one type" SUBSEP size[1] SUBSEP "down"
	return (all in ticks) && (other in ticks) ? (ticks[all] - ticks[other]) / (most / 512) : -1
}

BEGIN {
	ways = split("zap fill retype", way, " ")
	label["zap"] = "zap"; label["fill"] = "zap, `fill=table`"; label["retype"] = "retype"
	sizes = split("1024 16384 65536 262144", size, " ")
	holes = "a mask with holes"
}
FILENAME ~ /[.]md$/ {
	if (/:$/) heading = $0
	if (match($0, /^[|][^|]*[|] [0-9]+ [|] [0-9]+ K [|]/)) page[heading, substr($0, 1, RLENGTH)] = $0
	next
}
FILENAME ~ /targets$/ { split($0, field, "|"); target[field[1]] = field[2]; next }
match($0, /^(zap|fill|retype)-(4k|2m)-[0-9]+\| /) {
	name = substr($0, 1, RLENGTH - 2) # lines of several VMs may come by turns
	line = substr($0, RLENGTH + 1)
	if (match(line, /pages, /)) {
		split(name, part, "-")
		size_of[name] = line + 0
		base[name] = part[1] SUBSEP part[2] SUBSEP part[3] SUBSEP substr(line, RSTART + RLENGTH) SUBSEP size_of[name]
		most = size_of[name] > most ? size_of[name] : most
		if (!(part[3] in counted)) count[++counts] = part[3]
		counted[part[3]] = 1
		key[name] = ""
	} else if (match(line, /^  (0 -> 1|1 -> 0): /)) {
		at = key[name] = base[name] SUBSEP (substr(line, 3, 1) == "0" ? "up" : "down")
		pages[at] = size_of[name]
		ticks[at] = before(line, " ticks")
		others[at] = behind(line, "stood still ")
		invept[at] = behind(line, "INVEPT ")
		retyped[at] = before(line, " retyped")
	} else if (line ~ /^  touched/ && (at = key[name]) != "") {
		faults[at] = before(line, " faults")
		touching[at] = faults[at] ? before(line, " ticks") : 0 # a slice may end in one of the two loops
		again[at] = behind(line, "INVEPT ")
	}
}
END {
	for (l = 1; l <= split("4k 2m", leaf, " "); l++) {
		table(leaf[l], "one type")
		table(leaf[l], holes)
	}
	printf "\n%-66s %8s %8s\n", "", "", "at most"
	hold("retype, 4K leaves, 0 -> 1, ticks a leaf", dearest(ticks, retyped, "retype", "up"))
	hold("retype, 4K leaves, 1 -> 0, ticks a leaf", dearest(ticks, retyped, "retype", "down"))
	hold("retype, faults when the pages are touched", dearest(faults, pages, "retype", "up"))
	hold("fill=table, 4K leaves, touching, ticks a page", dearest(touching, pages, "fill", "up"))
	hold("retype, worst case of MTRRs, of what zap and touching cost", worst_case())
	hold("retype, 1 -> 0 with merging, ticks per 2 MiB", merging())
	if (held) printf "%d rows of docs/transitions.md looked at\n", compared
	printf "%s", missed
	exit missed != ""
}
