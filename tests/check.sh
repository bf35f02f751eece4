# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests written as scripts share: they print KTAP. To be sourced; the script ends with
# `exit "$all"`.

out=$(mktemp)
trap 'rm -f "$out"' EXIT
all=0
checks=0
printf 'KTAP version 1\n1..%d\n' "$(grep -c '^check ' "$0")"

# check NAME STATUS TEXT COMMAND...: COMMAND ends with STATUS and prints a line with TEXT, if any.
check() {
	local name=$1 status=$2 text=$3 actual=0
	shift 3
	checks=$((checks + 1))
	"$@" >"$out" 2>&1 </dev/null || actual=$?
	if [ "$actual" -eq "$status" ] && { [ -z "$text" ] || grep -qE -- "$text" "$out"; }; then
		echo "ok $checks $name"
	else
		echo "# status $actual, expected $status with a line like '$text':"
		sed 's/^/# /' "$out"
		echo "not ok $checks $name"
		# shellcheck disable=SC2034 # the script's status
		all=1
	fi
}
