// SPDX-License-Identifier: GPL-2.0
/* Counts a system call in the entry of each task that makes it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

/* Calls on this process are counted. */
#define COUNTED 1

char _license[] SEC("license") = "GPL";

/* struct Input in programs.rs. */
struct {
	u32 tgid;
	u32 store_id;
} input = { -1, -1 };

/* struct Counts in many_tasks.rs. */
struct {
	u64 created;
	u64 not_created;
	u64 inherited; /* new entries that were not zero */
	u64 ended;
	u64 miscounted; /* tasks whose entry had another count when they ended */
} counts = {};

/* The number of calls of each short-lived task. */
#define CALLS 2

/* Counts a call of @task in its entry. */
static __always_inline void count(struct bpf_percpu_store *s,
				  struct task_struct *task)
{
	struct bpf_percpu_store *entry = bpf_percpu_task_store(s, task, 0);
	u64 first = 1, second = 1;

	if (!entry) {
		const struct cpumask *possible = bpf_get_possible_cpumask();

		entry = bpf_percpu_task_store(s, task,
					      BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!entry) {
			__sync_fetch_and_add(&counts.not_created, 1);
			return;
		}
		__sync_fetch_and_add(&counts.created, 1);
		bpf_percpu_sum_u64(entry, 0, possible, &first);
		bpf_percpu_sum_u64(entry, 8, possible, &second);
		if (first || second)
			__sync_fetch_and_add(&counts.inherited, 1);
	}
	bpf_percpu_add_u64(entry, 0, 1);
	/* A mark that no other task may see. */
	bpf_percpu_add_u64(entry, 8, task->pid);
}

/* @task is about to end: checks that all its calls were counted. */
static __always_inline void end(struct bpf_percpu_store *s,
				struct task_struct *task)
{
	struct bpf_percpu_store *entry = bpf_percpu_task_store(s, task, 0);
	u64 sum = 0;

	if (entry)
		bpf_percpu_sum_u64(entry, 0, bpf_get_possible_cpumask(), &sum);
	__sync_fetch_and_add(&counts.ended, 1);
	if (sum != CALLS)
		__sync_fetch_and_add(&counts.miscounted, 1);
}

/*
 * getpgid() of process 1 or 2. Unlike programs on tracepoints, those on LSM
 * hooks are not skipped when one preempts another.
 */
SEC("lsm/task_getpgid")
int BPF_PROG(called, struct task_struct *of)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s;

	if (task->tgid != input.tgid)
		return 0;
	s = bpf_percpu_store_get(input.store_id);
	if (!s)
		return 0;
	if (of->pid == COUNTED)
		count(s, task);
	else
		end(s, task);
	return 0;
}
