// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* The loader sets the number of entries. */
BPF_PERCPU_KEYED_STORE(calls, "cgroup_syscalls", BPF_PERCPU_KEY_CGROUP, __u64,
		       1);

char LICENSE[] SEC("license") = "GPL";

/* Calls that could not be counted. */
__u64 lost;

/*
 * Attached to the functions __x64_sys_*. kprobe programs run with preemption
 * disabled. Programs on tp_btf/sys_enter do not: while one is preempted, the
 * kernel skips it for all other tasks on that CPU.
 */
SEC("kprobe.multi")
int count(void *ctx)
{
	struct bpf_percpu_store *s, *entry = NULL;
	struct task_struct *task = bpf_get_current_task_btf();

	s = bpf_percpu_store_get(calls.id);
	/* The entry is removed when the cgroup is freed. */
	if (s)
		entry = bpf_percpu_cgroup_store(s, task->cgroups->dfl_cgrp,
						BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!entry || bpf_percpu_add_u64(entry, 0, 1))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}
