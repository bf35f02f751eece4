#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What one does on a machine with the module installed; run in a guest, in that machine's tree. The status
# of each command follows its output.
say() {
	local status=0
	echo "+ $*"
	"$@" 2>&1 || status=$?
	echo "= $status: $*"
}
# Right after the last program is gone, the kernel may answer EAGAIN.
unload() {
	local i
	for ((i = 0; i < 300; i++)); do
		! rmmod bpf_percpu 2>/dev/null || return 0
		sleep 0.2
	done
	return 1
}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
cd /install || exit
say modinfo -n bpf_percpu
say modprobe bpf_percpu
say percpuctl probe
say ./syscall_count --load --duration 2 --summary --top 4
say percpuctl load count.bpf.o --pin /sys/fs/bpf/count
say scripts/install --remove
say rm -r /sys/fs/bpf/count
say unload
say insmod dkms.ko
say percpuctl create after --size 8
say unload
