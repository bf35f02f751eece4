// SPDX-License-Identifier: GPL-2.0
/* Counts how often each task is switched off a CPU. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

BPF_PERCPU_KEYED_STORE(switches, "switches", BPF_PERCPU_KEY_TASK, u64, 4096);

SEC("tp_btf/sched_switch")
int count(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s, *entry;

	s = bpf_percpu_store_get(switches.id);
	if (!s)
		return 0;
	entry = bpf_percpu_task_store(s, task, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
