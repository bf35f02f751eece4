// SPDX-License-Identifier: GPL-2.0
/* Entries of owners that end, and of owners that never end. */
#include "call.h"
#include <bpf/bpf_tracing.h>

/* The results of looking up and creating an entry. */
struct tried {
	u64 found; /* the entry's address, or 0 */
	u64 created;
};

/* struct Shared in ends.rs. */
struct {
	struct tried at_exit[2];
	struct tried at_free[2];
	u32 ids[2]; /* of the stores */
	u32 tid;
	u32 exits; /* number of runs of the programs */
	u32 frees;
	u32 missing; /* entries of idle tasks that could not be created */
} shared = {};

static __always_inline void try(struct tried *tried, u32 id,
				struct task_struct *task)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (!s)
		return;
	tried->found = (u64)bpf_percpu_task_store(s, task, 0);
	tried->created = (u64)bpf_percpu_task_store(
		s, task, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(exits, struct task_struct *task)
{
	if (task->pid != shared.tid)
		return 0;
	try(&shared.at_exit[0], shared.ids[0], task);
	try(&shared.at_exit[1], shared.ids[1], task);
	__sync_fetch_and_add(&shared.exits, 1);
	return 0;
}

SEC("?tp_btf/sched_process_free")
int BPF_PROG(frees, struct task_struct *task)
{
	if (task->pid != shared.tid)
		return 0;
	try(&shared.at_free[0], shared.ids[0], task);
	try(&shared.at_free[1], shared.ids[1], task);
	__sync_fetch_and_add(&shared.frees, 1);
	return 0;
}

/* Counts how often CPUs become idle, in the entries of their idle tasks. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(idles, bool preempt, struct task_struct *prev,
	     struct task_struct *next)
{
	struct bpf_percpu_store *s, *entry;

	if (next->pid)
		return 0;
	s = bpf_percpu_store_get(shared.ids[0]);
	if (!s)
		return 0;
	entry = bpf_percpu_task_store(s, next, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	else
		__sync_fetch_and_add(&shared.missing, 1);
	return 0;
}

struct kept {
	struct task_struct __kptr *task;
	struct cgroup __kptr *cgrp;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} kptrs SEC(".maps");

/* Keeps a reference to the owner, or drops it if the owner is 0. */
SEC("?syscall")
int keep_owner(struct call *c)
{
	struct task_struct *task = NULL;
	struct cgroup *cgrp = NULL;
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return BAD_CALL;
	if (c->kind == OF_TASK) {
		if (c->owner) {
			task = bpf_task_from_pid(c->owner);
			if (!task)
				return NO_OWNER;
		}
		task = bpf_kptr_xchg(&kept->task, task);
		if (task)
			bpf_task_release(task);
	} else {
		if (c->owner) {
			cgrp = bpf_cgroup_from_id(c->owner);
			if (!cgrp)
				return NO_OWNER;
		}
		cgrp = bpf_kptr_xchg(&kept->cgrp, cgrp);
		if (cgrp)
			bpf_cgroup_release(cgrp);
	}
	return 0;
}

static __always_inline int kept_one(struct call *c, struct bpf_percpu_store *s,
				    struct kept *kept)
{
	struct task_struct *task;
	struct cgroup *cgrp;

	if (c->kind == OF_TASK) {
		task = kept->task;
		if (!task)
			return NO_OWNER;
		c->entry = (u64)bpf_percpu_task_store(s, task, c->flags);
		if (c->op)
			c->error = bpf_percpu_task_delete(s, task);
	} else {
		cgrp = kept->cgrp;
		if (!cgrp)
			return NO_OWNER;
		c->entry = (u64)bpf_percpu_cgroup_store(s, cgrp, c->flags);
		if (c->op)
			c->error = bpf_percpu_cgroup_delete(s, cgrp);
	}
	return c->entry ? 0 : NO_ENTRY;
}

/* Finds the entry of the kept owner. With an op, deletes it. */
SEC("?syscall")
int of_kept_owner(struct call *c)
{
	struct bpf_percpu_store *s;
	struct kept *kept;
	int ret = NO_STORE;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return BAD_CALL;
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = kept_one(c, s, kept);
	bpf_rcu_read_unlock();
	return ret;
}
