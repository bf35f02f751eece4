# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Common parts of the scripts: paths and messages. To be sourced.

# shellcheck disable=SC2034 # not every script needs it
clone=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bpf_percpu
# shellcheck disable=SC2034 # not every script asks the archive
suite=trixie

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need_root WHY: the build enters its own root, which needs root rights.
need_root() {
	[ "$(id -u)" -eq 0 ] || die "$1 needs root rights, and this is user $(id -un): run it with sudo -E"
}

# Only one process at a time changes the cache; the others wait. Child processes hold the lock, too, so that a
# killed run's children are gone before anybody cleans up after it.
lock_cache() {
	[ -z "${locked-}" ] || return 0
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock -n 9 || {
		echo "${0##*/}: waiting for another run that fills $cache" >&2
		flock 9
	}
	locked=1
}

# step TITLE COMMAND...: runs COMMAND with its output in a log, and prints how long it takes.
step() {
	local title=$1 log start=$SECONDS pid status=0
	shift
	log=$(mktemp -t bpf_percpu.XXXXXX.log)
	(
		set -euo pipefail
		"$@"
	) >"$log" 2>&1 </dev/null &
	pid=$!
	while sleep 0.2 && kill -0 "$pid" 2>/dev/null; do
		((SECONDS - start >= 5 && (SECONDS - start) % 15 == 5)) || continue
		printf '  %-44s %4d s ...\n' "$title" $((SECONDS - start)) >&2
		sleep 1
	done
	wait "$pid" || status=$?
	printf '  %-44s %4d s\n' "$title" $((SECONDS - start)) >&2
	[ "$status" -eq 0 ] || {
		tail -n 25 "$log" >&2
		die "$title: failed with status $status; the whole output is in $log"
	}
	rm -f "$log"
}

# recipe FUNCTION...: prints a key for the output of the functions: a hash of their text.
recipe() {
	declare -f "$@" | sha256sum | cut -c1-12
}
