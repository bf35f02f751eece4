#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What the debug kernel watches for is seen, and fails the run that asked for the check: the controls
# of all runs that show nothing. Prints KTAP.
#
# usage: watchers.sh KERNEL
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
kernel=$1
# shellcheck source=tests/check.sh
. tests/check.sh

# with_fault N [APPEND]: until the module is loaded or the kernel has something to report; in the
# background, for who takes a lock twice does not come back
# shellcheck disable=SC2016 # the guest's
with_fault() {
	local reported='dmesg | grep -qE "WARNING:|BUG:"'
	scripts/vm --kernel "$kernel" --append "${2-}" --check-log --no-module --file "build/faults-$kernel/bpf_percpu_faults.ko" -- \
		"insmod bpf_percpu_faults.ko fault=$1 & while sleep 1 && kill -0 \$! 2>/dev/null && ! $reported; do :; done; sleep 1"
}

check nothing_without_a_fault 0 '' with_fault 0
check sleep_in_atomic_context 1 'BUG: sleeping function called from invalid context' with_fault 1 kmemleak=off
check leak_of_per_cpu_memory 1 'unreferenced object \(percpu\)' with_fault 2
check leak_of_an_object 1 'unreferenced object 0x' with_fault 3
check lock_taken_twice 1 'WARNING: possible recursive locking' with_fault 4 kmemleak=off
check use_after_free 1 'BUG: KFENCE: use-after-free' with_fault 5 kmemleak=off
check wait_for_rcu_readers_as_one 1 'WARNING: suspicious RCU usage' with_fault 6 kmemleak=off
exit "$all"
