#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The kfunc family that Documentation/adding.rst adds: its patch, in a copy of the tree. Prints KTAP.
#
# usage: family.sh KERNEL
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
kernel=$1
# shellcheck source=tests/check.sh
. tests/check.sh

copy=$(mktemp -d -t bpf_percpu-family.XXXXXX)
trap 'rm -rf "$out" "$copy"' EXIT
git ls-files -z | xargs -0 cp -a --parents -t "$copy"
# Without the file of the patch: it is no patch of itself.
mv "$copy/Documentation/adding.patch" "$copy/adding.patch"
mkdir "$copy/build"
for part in build/cargo build/bin "build/$kernel"; do
	[ ! -d "$part" ] || cp -a "$part" "$copy/build/"
done

apply() { git -C "$copy" apply adding.patch; }
module() { "$copy/scripts/module" "$kernel"; }
# The test of the family and that of the reference, as build/node and build/reference.
programs() {
	local log=$copy/build/programs.log
	BPF_PERCPU_VMLINUX=/src/build/$kernel "$copy/scripts/cargo" test --release --workspace --test node --test reference --no-run >"$log" 2>&1 ||
		{ cat "$log" && return 1; }
	sed -nE 's#^ *Executable .*\((/src/)?(build/[^)]*/([^/)]*)-[0-9a-f]+)\)#\2 \3#p' "$log" |
		while read -r file name; do cp "$copy/$file" "$copy/build/$name"; done
}
guest() {
	"$copy/scripts/vm" --kernel "$kernel" --check-log --append "kunit.autorun=0 numa=fake=2" --file "$copy/build/node" -- \
		./node --test-threads=1
}
reference() {
	"$copy/scripts/in-root" --chdir /src/tests env "BPF_PERCPU_VMLINUX=/src/build/$kernel" /src/build/reference "$@"
}
without_page() {
	rm "$copy/Documentation/reference/node.rst"
	reference check::
}

check applies 0 '' apply
check builds 0 '' module
check tests_build 0 '' programs
check works_in_a_guest 0 '^test result: ok\. [1-9][0-9]* passed' guest
check reference_has_it 0 '^test result: ok\. [1-9][0-9]* passed' reference check:: control::
check reference_misses_its_page 101 'bpf_cpu_to_node is in the module.s BTF, but has no entry: write "' without_page
exit "$all"
