# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What lets a script's processes end with it, however it ends, and it with whoever started it.
# Sourced by tools/boot and tests/run, which keep what they start in one process group.

# is_child PID PARENT: whether the process is there and that is its parent.
is_child() {
	local stat parent
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
	read -r _ parent _ <<<"${stat##*) }" # behind the name: its state, its parent
	[ "$parent" -eq "$2" ]
}

# Whether the script goes on without whoever started it: under nohup, or when that had already gone.
outlives_parent=''
if [ "$PPID" -eq 1 ] || [[ $(trap -p HUP) == "trap -- '' "* ]]; then
	outlives_parent=yes
fi

# keep_watch GROUP SECONDS: to be run in the background. Tells the script by SIGTERM that its parent has
# ended, and returns 0 after so many seconds (0: never). When the script itself has been killed it
# kills the process group and returns 1: what else there is to remove is the caller's.
keep_watch() {
	local end=$((SECONDS + $2))
	while sleep 0.5; do
		if ! is_child "$BASHPID" $$; then
			kill -KILL -- "-$1" 2>/dev/null
			return 1
		fi
		[ -n "$outlives_parent" ] || is_child $$ "$PPID" || kill -TERM $$
		[ "$2" -eq 0 ] || ((SECONDS < end)) || return 0
	done
}
