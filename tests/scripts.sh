#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the scripts, on the host. Prints KTAP.
#
# usage: scripts.sh KERNEL
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
kernel=$1
# shellcheck source=tests/check.sh
. tests/check.sh

vm() { scripts/vm --kernel "$kernel" "$@"; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent XDG_CACHE_HOME=/nonexistent "$@"; }
mounts() {
	local before
	before=$(cat /proc/self/mounts)
	"$@" >/dev/null && diff <(echo "$before") /proc/self/mounts
}
# soon COMMAND...: it holds within a minute.
soon() {
	local i
	for ((i = 0; i < 300; i++)); do
		! "$@" || return 0
		sleep 0.2
	done
	return 1
}
warm() { timeout 1 scripts/root --print; }
script=$(mktemp)
said=$(mktemp)
printf '#!/bin/sh\necho the script ran\n' >"$script"
chmod +x "$script"
trap 'rm -f "$out" "$script" "$said"' EXIT
# A guest that prints all that the checks below look for.
guest() {
	vm --cpus 3 --append maxcpus=2 --append one.two --file Kbuild --file "$script" -- "
		echo hello from \$(uname -r); cat /sys/devices/system/cpu/possible /proc/cmdline Kbuild; lsmod
		./${script##*/}; echo WARNING: made up >/dev/kmsg; exit 7" >"$said" 2>&1
}
said() { cat "$said"; }
log_not_checked() { grep -q 'the script ran' "$said" && ! grep "the kernel's log" "$said"; }
# One without the module, with a command in words.
plain() {
	# shellcheck disable=SC2016 # the guest's
	vm --no-module -- sh -c 'grep -q bpf_percpu /proc/modules || echo no module; printf "<%s>" "$@"' sh 'a b' '$c' >"$said" 2>&1
}
# In the command line of a guest of this run, other than those of other runs.
mark=bpf_percpu.run_$$_
gone() { ! pgrep -f "$mark"; }
# terminated COMMAND...: it ends soon after it is told to, with all that it started.
terminated() {
	local pid
	"$@" &
	pid=$!
	soon pgrep -f "^qemu-system.*$mark" || return
	kill -TERM "$pid"
	timeout 60 tail --pid="$pid" -f /dev/null && soon gone && echo ended
}

# Each line of tests/logs/reports, alone.
found() {
	local log line
	log=$(mktemp)
	while read -r line; do
		printf 'Linux version 7.3\n%s\n' "$line" >"$log"
		! scripts/check-log "$log" >/dev/null || { echo "not found: $line" && return 1; }
	done <tests/logs/reports
	rm -f "$log"
	echo "all found"
}
# took COUNT OPTION...: how long a loop takes in a guest, in hundredths of a second: the fastest of COUNT, for
# the machine may do other things meanwhile.
took() {
	vm --no-module "${@:2}" -- "for try in \$(seq $1); do read -r before _ </proc/uptime; i=0; while [ \$i -lt 5000 ]; do i=\$((i + 1)); done
		read -r after _ </proc/uptime; echo \"took \$before \$after\"; done" | awk '$1 == "took" { print int(100 * ($3 - $2)) + 1 }' | sort -n | head -n 1
}
# Fifty times as long when there can be an interrupt after each instruction.
slower() {
	local anywhere usual
	anywhere=$(took 1 --one-insn-per-tb)
	usual=$(took 3)
	echo "$anywhere and $usual hundredths of a second"
	[ "$anywhere" -gt $((10 * usual)) ] && echo slower
}
# orderings LINE...: what the check says of a source with these lines.
orderings() { scripts/orderings <(printf '%s\n' "$@"); }
mutants_apply() {
	local patch
	for patch in tests/mutants/*.patch; do git apply --check "$patch" || return; done
}

# What is typed at the prompt.
shell() {
	local line pid
	coproc guest { scripts/vm --kernel "$kernel" --no-module --shell; }
	pid=$!
	while IFS= read -r -d '#' line && [[ $line != *'~ ' ]]; do :; done <&"${guest[0]}"
	printf 'echo $((6 * 7)) on $(nproc) CPUs\nexit\n' >&"${guest[1]}"
	cat <&"${guest[0]}"
	wait "$pid"
}
# A debugger asks why the guest has stopped, which is because it asks, and lets it go on.
gdb_stub() {
	local port=$((20000 + $$ % 20000)) pid answer=''
	vm --no-module --gdb "$port" -- 'sleep 20; echo went on' &
	pid=$!
	soon eval "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null || return
	printf '+$?#3f' >&3
	read -r -t 60 -d '#' answer <&3 || true
	echo "answer: $answer"
	printf '+$D#44' >&3
	exec 3>&-
	wait "$pid"
}

# A copy of the tree, built in itself, as modules usually are.
built_in_itself() {
	local copy status=0
	copy=$(mktemp -d)
	git ls-files -z | xargs -0 cp -a --parents -t "$copy"
	scripts/in-root --bind "$copy:/mnt" /src/scripts/kernel/kmake "/kernel/$kernel/obj" M=/mnt modules || status=$?
	rm -rf "$copy"
	return "$status"
}

check root_prints_its_path 0 '^/.*/bpf_percpu/root-[0-9a-f]+$' scripts/root --print
check root_is_warm_in_a_second 0 '^/' warm
check root_names_its_kernel 0 '^[0-9]+\.[0-9]+\.[0-9]+.*-amd64$' scripts/root --kernel "$kernel"
check root_makes_the_kernel_it_is_told 0 '^Ready: .*, kernel [0-9]+\.[0-9]+\.[0-9]+' scripts/root "$kernel"
check root_lists_the_archive 0 '<- stock$' scripts/root --list
check root_refuses_unknown_options 1 "unknown option '--nonsense'" scripts/root --nonsense
check root_knows_no_such_kernel 1 "the archive has no kernel '0.1'" scripts/root --kernel 0.1
check root_needs_root 1 'root: making the root needs root rights.*sudo' as_nobody scripts/root
check kernel_without_rust 2 '^kernel 6\.12\.[0-9]+.*: built without CONFIG_RUST' make module KERNEL=6.12
check module_builds_in_itself 0 'BTF \[M\] bpf_percpu.ko' built_in_itself
check run_knows_its_samples 2 "there is no sample 'none': there are cgroup_syscalls" make run SAMPLE=none
check run_shows_a_sample 0 '^nr_cpu_ids: 4' make run SAMPLE=cpumask_walk "KERNEL=$kernel"
check in_root_leaves_no_mounts 0 '' mounts scripts/in-root true
check in_root_passes_the_status 7 '' scripts/in-root sh -c 'exit 7'
check vm_passes_the_status 7 '' guest
check vm_runs_a_command 0 '^hello from [0-9]' said
check vm_takes_files 0 '^# SPDX.*GPL' said
check vm_loads_the_module 0 '^bpf_percpu' said
check vm_runs_scripts 0 '^the script ran' said
check vm_sets_cpus 0 '^0-2' said
check vm_appends 0 'maxcpus=2 one.two' said
check vm_checks_the_log_when_asked 0 '' log_not_checked
check vm_runs_words 0 '' plain
check vm_keeps_arguments_apart 0 '^<a b><\$c>' said
check vm_boots_without_the_module 0 '^no module' said
check vm_ends_with_its_caller 0 '^ended' terminated scripts/vm --no-module --append "$mark" -- sleep 200
check vm_ends_in_time 124 'ended after 8 s' vm --timeout 8 -- sleep 100
check vm_sees_a_crash 125 'ended without a status' vm --no-module -- 'echo c >/proc/sysrq-trigger; sleep 9'
check vm_checks_the_log 1 'WARNING: made up' vm --no-module --check-log -- 'echo WARNING: made up >/dev/kmsg'
check log_shows_what_the_kernel_reports 0 '^all found' found
check log_of_a_boot_is_clean 0 '' scripts/check-log tests/logs/clean
check log_must_be_whole 1 "the kernel's log is not whole" scripts/check-log tests/logs/reports
check mutants_apply 0 '' mutants_apply
check orderings_say_what_they_pair_with 0 '' orderings 'use a::{' 'Acquire, //' '};' 'a.load(Relaxed);' \
	'// ORDERING: Pairs' '// with the Release in `f()`.' '//' '// SAFETY: None.' 'let a = b' '.load(Acquire);'
check orderings_need_a_comment 1 ':2: no .*: a.load\(Acquire\)' orderings '// SAFETY: None.' 'a.load(Acquire);'
check orderings_need_a_pair 1 ':2: no .*: a.add\(1, Full\)' orderings '// ORDERING: It must be.' 'a.add(1, Full);'
check orderings_need_a_comment_each 1 ':3: no .*: b.store' orderings '// ORDERING: Pairs with `f()`.' 'a.load(Acquire);' 'b.store(1, Release);'
check barriers_need_a_comment 1 ':1: no .*: unsafe' orderings 'unsafe { bindings::smp_mb() };'
check vm_counts_instructions 0 '' vm --no-module --icount --cpus 1 -- true
check vm_interrupts_anywhere_when_asked 0 '^slower' slower
check vm_has_a_shell 0 '42 on 4 CPUs' shell
check vm_has_a_gdb_stub 0 'answer: .*T0[0-9a-f]' gdb_stub
check vm_refuses_unknown_options 1 "unknown option '--nonsense'" vm --nonsense -- true
check vm_refuses_a_missing_file 1 'no/such/file: cannot be copied' vm --file no/such/file -- true
exit "$all"
