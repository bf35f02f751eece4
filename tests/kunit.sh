#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads the module into a kernel with KUnit, which runs its suites, and has the kernel's own parser
# read the results. Reports like libtest.
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
printf '%s\n' "$results" | sed -E \
	-e 's/^\[[0-9:]+\] \[PASSED\] ([^ ]+)$/test kunit::\1 ... ok/' \
	-e 's/^\[[0-9:]+\] \[(FAILED|CRASHED)\] ([^ ]+)$/test kunit::\2 ... FAILED/' \
	-e 's/^\[[0-9:]+\] \[SKIPPED\] ([^ ]+)( \((.*)\))?$/test kunit::\1 ... ignored, \3/'
exit "$status"
