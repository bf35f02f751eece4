// SPDX-License-Identifier: GPL-2.0
/* Declares a keyed store of each kind, and a plain one. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

BPF_PERCPU_STORE(plain, "declared_plain", u64);
BPF_PERCPU_KEYED_STORE(tasks, "declared_tasks", BPF_PERCPU_KEY_TASK, u64, 4);
BPF_PERCPU_KEYED_STORE(cgroups, "declared_cgroups", BPF_PERCPU_KEY_CGROUP,
		       u64[2], 5);
BPF_PERCPU_KEYED_STORE(keys, "declared_keys", BPF_PERCPU_KEY_U64, u64, 6);
/* The same declaration again. */
BPF_PERCPU_KEYED_STORE(keys_again, "declared_keys", BPF_PERCPU_KEY_U64, u64, 6);

char _license[] SEC("license") = "GPL";

/* Returns how many of the five counters exist. */
SEC("syscall")
int count(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s, *entry;
	int counted = 0;

	bpf_rcu_read_lock();
	counted += !bpf_percpu_id_add_u64(plain.id, 0, 1);
	s = bpf_percpu_store_get(tasks.id);
	entry = s ? bpf_percpu_task_store(s, task,
					  BPF_LOCAL_STORAGE_GET_F_CREATE) :
		    NULL;
	counted += entry && !bpf_percpu_add_u64(entry, 0, 1);
	s = bpf_percpu_store_get(cgroups.id);
	entry = s ? bpf_percpu_cgroup_store(s, task->cgroups->dfl_cgrp,
					    BPF_LOCAL_STORAGE_GET_F_CREATE) :
		    NULL;
	counted += entry && !bpf_percpu_add_u64(entry, 8, 1);
	s = bpf_percpu_store_get(keys.id);
	entry = s ? bpf_percpu_key_store(s, 7, BPF_LOCAL_STORAGE_GET_F_CREATE) :
		    NULL;
	counted += entry && !bpf_percpu_add_u64(entry, 0, 1);
	s = bpf_percpu_store_get(keys_again.id);
	entry = s ? bpf_percpu_key_store(s, 7, 0) : NULL;
	counted += entry && !bpf_percpu_add_u64(entry, 0, 1);
	bpf_rcu_read_unlock();
	return counted;
}
