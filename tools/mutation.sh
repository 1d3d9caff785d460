# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The deliberate faults of tests/mutations, for who plants them: source it, in the tree's root. Each is
# a patch in the folder of its room, by its name in small letters; its first line is the name, which
# says what it breaks.

# mutations: every patch, room by room.
mutations() {
	find tests/mutations -name '*.patch' | sort
}

# mutation_name PATCH: what it breaks.
mutation_name() {
	local name
	read -r name <"$1"
	echo "$name"
}

# mutation_file PATCH: whose fault it is.
mutation_file() {
	local line
	while read -r line; do
		[[ $line == '--- a/'* ]] || continue
		echo "${line#--- a/}"
		return
	done <"$1"
}

# mutation_slug NAME: in small letters, as its file is called.
mutation_slug() {
	local slug=${1,,}
	slug=${slug//&&/and}
	slug=${slug//[^a-z0-9]/-}
	while [[ $slug == *--* ]]; do slug=${slug//--/-}; done
	slug=${slug#-}
	echo "${slug%-}"
}

# mutation_of NAME: its patch; status 1 without a word when there is none.
mutation_of() {
	find tests/mutations -name "$(mutation_slug "$1").patch" | grep -m 1 .
}

# mutation_plant PATCH FOLDER: the file with the fault in it, as FOLDER/mutant.c. Status 1 when the patch
# does not apply.
mutation_plant() {
	local folder file patch
	file=$(mutation_file "$1") patch=$(realpath "$1") folder=$(realpath "$2")
	mkdir -p "$folder/planted/$(dirname "$file")"
	cp "$file" "$folder/planted/$file"
	# In a folder of a repository git would look for the file at the repository's root.
	GIT_CEILING_DIRECTORIES=$folder git -C "$folder/planted" apply "$patch" 2>/dev/null || return 1
	mv "$folder/planted/$file" "$folder/mutant.c"
}
