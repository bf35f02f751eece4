// SPDX-License-Identifier: GPL-2.0
/* Counts the programs that the tasks of each cgroup start. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

BPF_PERCPU_KEYED_STORE(execs, "execs", BPF_PERCPU_KEY_CGROUP, u64, 1024);

SEC("tp_btf/sched_process_exec")
int count(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup *cgrp = task->cgroups->dfl_cgrp;
	struct bpf_percpu_store *s, *entry;

	s = bpf_percpu_store_get(execs.id);
	if (!s)
		return 0;
	entry = bpf_percpu_cgroup_store(s, cgrp,
					BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
