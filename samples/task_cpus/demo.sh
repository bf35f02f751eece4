#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
group=/sys/fs/cgroup/web
started=

# pinned CPU COMMAND...: runs COMMAND on CPU, and waits until it is there
pinned() {
	taskset -c "$@" &
	started="$started $!"
	until grep -qs "^Cpus_allowed_list:.$1\$" "/proc/$!/status" &&
		grep -qs "^Name:.$2\$" "/proc/$!/status"; do :; done
}

# is_asleep PID
is_asleep() {
	grep -q '^State:.S' "/proc/$1/status"
}

echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control
mkdir "$group"
echo 1,3 >"$group/cpuset.cpus"
pinned 3 sleep 1000
until is_asleep $!; do :; done
pinned 3 sh -c 'while :; do :; done'
pinned 1 sleep 1000
sleep 1000 &
started="$started $!"
echo $! >"$group/cgroup.procs"
taskset -p -c 3 $! >/dev/null

echo 0 >/sys/devices/system/cpu/cpu3/online
echo "./task_cpus, when CPU 3 has gone offline"
./task_cpus
status=$?
echo
echo "./task_cpus --cgroup $group"
./task_cpus --cgroup "$group" || status=$?
echo 1 >/sys/devices/system/cpu/cpu3/online

# shellcheck disable=SC2086
kill $started
wait
rmdir "$group"
[ "$status" -eq 0 ]
