#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest: cgroups whose tasks read and write, some of them short-lived.
mkdir /sys/fs/cgroup/web /sys/fs/cgroup/batch
jobs=
# job CGROUP COMMAND: runs COMMAND repeatedly in the background
job() {
	sh -c "echo \$\$ >/sys/fs/cgroup/$1/cgroup.procs; while :; do $2; done" 2>/dev/null &
	jobs="$jobs $!"
}
job web "dd if=/dev/zero of=/dev/null bs=1 count=100000"
job web "dd if=/dev/zero of=/dev/null bs=1 count=100000"
job batch "dd if=/dev/zero of=/dev/null bs=1M count=100"
echo "./cgroup_syscalls --duration 3 --summary"
./cgroup_syscalls --duration 3 --summary
# shellcheck disable=SC2086
kill $jobs
