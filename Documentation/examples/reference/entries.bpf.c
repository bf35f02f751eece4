// SPDX-License-Identifier: GPL-2.0
/* Entries of keyed stores: of tasks, of cgroups and for numbers. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

BPF_PERCPU_KEYED_STORE(tasks, "reference_tasks", BPF_PERCPU_KEY_TASK, u64, 256);
BPF_PERCPU_KEYED_STORE(cgroups, "reference_cgroups", BPF_PERCPU_KEY_CGROUP, u64,
		       64);
BPF_PERCPU_KEYED_STORE(lengths, "reference_lengths", BPF_PERCPU_KEY_U64, u64,
		       64);

/* [bpf_percpu_task_store] */
/* Counts the system calls of each task. */
SEC("tp_btf/sys_enter")
int BPF_PROG(count_calls, struct pt_regs *regs, long nr)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(tasks.id), *entry;

	if (!s)
		return 0;
	entry = bpf_percpu_task_store(s, bpf_get_current_task_btf(),
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return 0;
}
/* [end] */

/* [bpf_percpu_task_delete] */
/* Removes the entry of the calling task: -2, ENOENT, if it has none. */
SEC("syscall")
int forget_me(void *ctx)
{
	struct bpf_percpu_store *s;
	int error = -1;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(tasks.id);
	if (s)
		error = bpf_percpu_task_delete(s, bpf_get_current_task_btf());
	bpf_rcu_read_unlock();
	return error;
}
/* [end] */

/* [bpf_percpu_cgroup_store] */
/* Counts the processes that each cgroup starts. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(count_forks, struct task_struct *parent, struct task_struct *child)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(cgroups.id), *entry;

	if (!s)
		return 0;
	entry = bpf_percpu_cgroup_store(s, parent->cgroups->dfl_cgrp,
					BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return 0;
}
/* [end] */

/* [bpf_percpu_cgroup_delete] */
/* Removes a cgroup's entry with its directory; the kernel may free the cgroup much later. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(forget_cgroup, struct cgroup *cgrp, const char *path)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(cgroups.id);

	if (s)
		bpf_percpu_cgroup_delete(s, cgrp);
	return 0;
}
/* [end] */

/* [bpf_percpu_key_store] */
/* Counts packets by their length, in steps of 64 bytes. */
SEC("xdp")
int count_lengths(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(lengths.id), *entry;
	u64 length = (ctx->data_end - ctx->data) / 64 * 64;

	if (!s)
		return XDP_PASS;
	entry = bpf_percpu_key_store(s, length, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_key_delete] */
/* Restarts the count of packets of 64 bytes and more. */
SEC("syscall")
int forget_64(void *ctx)
{
	struct bpf_percpu_store *s;
	int error = -1;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(lengths.id);
	if (s)
		error = bpf_percpu_key_delete(s, 64);
	bpf_rcu_read_unlock();
	return error;
}
/* [end] */

/* [bpf_for_each] */
/* The most frequent length. */
SEC("syscall")
int most_frequent(void *ctx)
{
	struct bpf_percpu_store *s, *entry;
	u64 most = 0, length = 0;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(lengths.id);
	if (!s)
		goto out;
	bpf_for_each(percpu_entry, entry, s) {
		u64 packets;

		if (bpf_percpu_sum_u64(entry, 0, bpf_get_possible_cpumask(),
				       &packets) ||
		    packets <= most)
			continue;
		most = packets;
		length = entry->key;
	}
out:
	bpf_rcu_read_unlock();
	return length;
}
/* [end] */

/* [bpf_iter_percpu_entry] */
/* Whether there is no entry at all. */
SEC("syscall")
int is_empty(void *ctx)
{
	struct bpf_iter_percpu_entry it;
	struct bpf_percpu_store *s;
	bool empty = true;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(lengths.id);
	if (s) {
		bpf_iter_percpu_entry_new(&it, s);
		empty = !bpf_iter_percpu_entry_next(&it);
		bpf_iter_percpu_entry_destroy(&it);
	}
	bpf_rcu_read_unlock();
	return empty;
}
/* [end] */
