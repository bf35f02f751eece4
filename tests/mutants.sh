#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts each fault of tests/mutants, or those named, into a copy of the tree, one at a time, and runs
# suites until one fails. Says which cases have caught it; ends with 1 when a fault was caught by none.
#
# usage: mutants.sh [NAME]...
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# What is run, until something fails: the quick ones first.
rounds=("kunit/debug kfunc_code" "store/debug lifetime/debug control/debug faults/debug" "exact-interrupted/stock")

names=("$@")
if [ $# -eq 0 ]; then
	for patch in tests/mutants/*.patch; do
		name=${patch##*/}
		names+=("${name%.patch}")
	done
fi
copy=$(mktemp -d -t bpf_percpu-mutant.XXXXXX)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | xargs -0 cp -a --parents -t "$copy"
cp -a .git "$copy/"
[ ! -d build/cargo ] || { mkdir "$copy/build" && cp -a build/cargo build/bin "$copy/build/"; }

# caught_by KTAP: the first cases that failed there
caught_by() {
	sed -nE 's/^ +not ok [0-9]+ (.*)/\1/p' "$1" | awk '!seen[$0]++' | head -n 4 | paste -sd' '
}

missed=0
printf '%-28s %-20s %s\n' FAULT SUITES 'CAUGHT BY'
for name in "${names[@]}"; do
	git -C "$copy" apply "tests/mutants/$name.patch"
	found=''
	for round in "${rounds[@]}"; do
		if ! SUITES=$round "$copy/tests/run" stock debug >"$copy/log" 2>&1; then
			found=$(caught_by "$copy/build/tests/results.ktap")
			# What the check of the kernel's log says, else what the run says last.
			[ -n "$found" ] || found=$(sed -nE '/the kernel.s log, /{s/.*: [0-9]+:(\[ *[0-9.]+\] )?/the log: /p;q}' "$copy/log")
			[ -n "$found" ] || found=$(tail -n 1 "$copy/log")
			break
		fi
	done
	[ -n "$found" ] || missed=1
	printf '%-28s %-20s %s\n' "$name" "${round%% *}" "${found:-nothing}"
	git -C "$copy" apply -R "tests/mutants/$name.patch"
done
exit "$missed"
