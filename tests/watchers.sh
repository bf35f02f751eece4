#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The debug kernel sees each kind of fault, and the check of its log fails: the control of all other
# suites, whose logs must be clean. Prints KTAP.
#
# usage: watchers.sh KERNEL
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
kernel=$1
# shellcheck source=tests/check.sh
. tests/check.sh
said=$(mktemp)
trap 'rm -f "$out" "$said"' EXIT

# with_faults APPEND FAULT...: loads the module with each fault in turn. It waits up to 20 s for the kernel's
# report before it goes on, because the module does not return from some faults.
with_faults() {
	scripts/vm --kernel "$kernel" --append "$1" --check-log --no-module --file "build/faults-$kernel/bpf_percpu_faults.ko" -- "
		for fault in ${*:2}; do
			reports=\$(dmesg | grep -cE 'WARNING:|BUG:')
			insmod bpf_percpu_faults.ko fault=\$fault &
			for second in \$(seq 20); do
				sleep 1
				[ \$(dmesg | grep -cE 'WARNING:|BUG:') -eq \$reports ] || break
				kill -0 \$! 2>/dev/null || break
			done
			rmmod bpf_percpu_faults 2>/dev/null
		done" >"$said" 2>&1
}
# What the check of the log has found.
found() { sed -nE 's/^[0-9]+:(.*\] )?/found: /p' "$said"; }

check nothing_without_a_fault 0 '' with_faults '' 0
# In each guest, the module does not return from the last fault.
check faults_with_kmemleak 1 '' with_faults '' 2 3 6
check leak_of_per_cpu_memory 0 '^found: unreferenced object \(percpu\)' found
check leak_of_an_object 0 '^found: unreferenced object 0x' found
check wait_for_rcu_readers_as_one 0 '^found: WARNING: suspicious RCU usage' found
check faults_without_kmemleak 1 '' with_faults kmemleak=off 1 5 4
check sleep_in_atomic_context 0 '^found: BUG: sleeping function called from invalid context' found
check use_after_free 0 '^found: BUG: KFENCE: use-after-free' found
check lock_taken_twice 0 '^found: WARNING: possible recursive locking' found
exit "$all"
