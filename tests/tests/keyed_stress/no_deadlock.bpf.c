// SPDX-License-Identifier: GPL-2.0
/*
 * Creates and deletes the task's entry for each new socket. The program may be
 * preempted anywhere, so tasks on one CPU interrupt each other here.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* struct Input in programs.rs. */
struct {
	u32 tgid;
	u32 store_id;
} input = { -1, -1 };

/* struct Counts in no_deadlock.rs. */
struct {
	u64 created;
	u64 deleted;
	u64 found; /* entries that existed before */
	u64 not_created;
	u64 not_deleted;
	u64 dirty; /* new entries that were not zero */
	u64 miscounted;
} counts = {};

static __always_inline void churn(struct bpf_percpu_store *s,
				  struct task_struct *task)
{
	const struct cpumask *possible = bpf_get_possible_cpumask();
	struct bpf_percpu_store *entry;
	u64 sum = 1;

	if (bpf_percpu_task_store(s, task, 0))
		__sync_fetch_and_add(&counts.found, 1);
	entry = bpf_percpu_task_store(s, task, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!entry) {
		__sync_fetch_and_add(&counts.not_created, 1);
		return;
	}
	__sync_fetch_and_add(&counts.created, 1);
	if (bpf_percpu_sum_u64(entry, 0, possible, &sum) || sum)
		__sync_fetch_and_add(&counts.dirty, 1);
	bpf_percpu_add_u64(entry, 0, 1);
	if (bpf_percpu_sum_u64(entry, 0, possible, &sum) || sum != 1)
		__sync_fetch_and_add(&counts.miscounted, 1);
	if (bpf_percpu_task_delete(s, task))
		__sync_fetch_and_add(&counts.not_deleted, 1);
	else
		__sync_fetch_and_add(&counts.deleted, 1);
}

SEC("lsm.s/socket_post_create")
int BPF_PROG(created, struct socket *sock, int family, int type, int protocol,
	     int kern)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s;

	if (task->tgid != input.tgid)
		return 0;
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(input.store_id);
	if (s)
		churn(s, task);
	bpf_rcu_read_unlock();
	return 0;
}
