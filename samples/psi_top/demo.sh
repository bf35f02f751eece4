#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest: three tasks that may use two CPUs, and one that uses more
# memory than its limit.
cd /sys/fs/cgroup || exit
echo "+cpuset +memory" >cgroup.subtree_control
mkdir web batch
echo 1,3 >web/cpuset.cpus
echo 6M >batch/memory.high
cd - >/dev/null || exit
jobs=
# job CGROUP COMMAND: runs COMMAND repeatedly in the background
job() {
	sh -c "echo \$\$ >/sys/fs/cgroup/$1/cgroup.procs; while :; do $2; done" 2>/dev/null &
	jobs="$jobs $!"
}
job web :
job web :
job web :
job batch "dd if=/dev/zero of=/dev/null bs=20M count=1"
echo "./psi_top --interval 3 --iterations 1"
./psi_top --interval 3 --iterations 1
# shellcheck disable=SC2086
kill $jobs
