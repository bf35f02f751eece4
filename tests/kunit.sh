#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads the module into a kernel with KUnit, which runs its suites, and has the kernel's own parser
# read the results. Prints KTAP without the suites: a case's name is its own.
#
# usage: kunit.sh KERNEL
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
kernel=$1
status=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

scripts/vm --kernel "$kernel" --check-log --append 'kunit.filter_glob=bpf_percpu*' -- dmesg >"$log" || status=$?
# From when the module is loaded: the parser reads one run, and the kernel's own came before.
results=$(sed -n '/bpf_percpu: loading/,$p' "$log" |
	scripts/in-root --chdir "/kernel/$kernel/src" tools/testing/kunit/kunit.py parse) || status=1
printf 'KTAP version 1\n'
printf '%s\n' "$results" | sed -nE \
	-e 's/^\[[0-9:]+\] \[PASSED\] ([^ ]+)$/ok \1/p' \
	-e 's/^\[[0-9:]+\] \[(FAILED|CRASHED)\] ([^ ]+)$/not ok \2/p' \
	-e 's/^\[[0-9:]+\] \[SKIPPED\] ([^ ]+)( \((.*)\))?$/ok \1 # SKIP \3/p' -e 't' -e 's/^/# /p' |
	awk '
		/^ok / { sub(/^ok /, "ok " ++n " ") }
		/^not ok / { sub(/^not ok /, "not ok " ++n " ") }
		{ print }
		END { print "1.." n + 0 }'
exit "$status"
