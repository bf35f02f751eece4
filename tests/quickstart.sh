#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The quick start, pasted into a fresh Debian: each command of Documentation/quickstart.rst is run, in
# order, and prints what the page says. A number may be another one; a line "…" stands for any lines.
# Prints KTAP.
#
# usage: quickstart.sh
#        quickstart.sh --in-root DIR    the commands, in the fresh root; what they print goes to DIR
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
page=Documentation/quickstart.rst

# commands DIR: each command of the page into DIR/N.command, what it is to print into DIR/N.expected
commands() {
	awk -v dir="$1" '
		/^\.\. code-block:: console/ { session = 1; next }
		session && /^[^ ]/ { session = 0 }
		!session { next }
		{ sub(/^   /, "") }
		/^# / { n++; print substr($0, 3) >(dir "/" n ".command"); printf "" >(dir "/" n ".expected"); next }
		n { print >(dir "/" n ".expected") }' "$page"
}

# What numbers and columns are, the page does not say; empty lines around sessions are the page's.
normal() {
	sed -E 's/[0-9]+/N/g; s/[[:space:]]+/ /g; s/^ //; s/ $//' "$1" | grep -v '^$' || true
}

# as_said EXPECTED ACTUAL: the lines are the same; with "…", those that are left come in this order.
as_said() {
	if grep -qx '…' "$1"; then
		awk 'NR == FNR { if ($0 != "…") want[++n] = $0; next }
			k < n && $0 == want[k + 1] { k++ }
			END { if (k < n) { print "not printed: " want[k + 1]; exit 1 } }' <(normal "$1") <(normal "$2")
	else
		diff <(normal "$1") <(normal "$2")
	fi
}

if [ "${1-}" = --in-root ]; then
	dir=$2
	for ((n = 1; ; n++)); do
		[ -f "$dir/$n.command" ] || break
		status=0
		bash "$dir/$n.command" >"$dir/$n.actual" 2>"$dir/$n.errors" </dev/null || status=$?
		echo "$status" >"$dir/$n.status"
	done
	exit
fi

# shellcheck source=tests/check.sh
. tests/check.sh
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

# Debian as it is installed at the least, with apt's lists, which the machine has by then.
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work" "$out"' EXIT
mkdir "$work/session"
commands "$work/session"
fresh=$(scripts/extra-root fresh apt)
cp -a "$fresh" "$work/root"
mkdir -p "$cache"
scripts/in-root --root "$work/root" --bind "$cache:/root/.cache/bpf_percpu" --bind "$work/session:/session" \
	bash -c 'apt-get -qq update && tests/quickstart.sh --in-root /session'

# printed N: command N ended well, and printed what the page says.
printed() {
	local base=$work/session/$1
	cat "$base.command"
	[ "$(cat "$base.status")" = 0 ] && as_said "$base.expected" "$base.actual" && return
	tail -n 30 "$base.actual" "$base.errors"
	return 1
}
# A page that says something else is found out.
notices() {
	local base=$work/session/$1
	sed "$2" "$base.expected" >"$base.other"
	! as_said "$base.other" "$base.actual"
}

check apt 0 '' printed 1
check make_run 0 '' printed 2
check compile 0 '' printed 3
check count 0 '' printed 4
check no_command_is_left 0 '' test ! -e "$work/session/5.command"
check other_lines_are_noticed 0 'not printed: online' notices 2 's/^online.*/online 4 none/'
check other_output_is_noticed 0 '' notices 4 '/^…/d'
exit "$all"
