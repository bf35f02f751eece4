// SPDX-License-Identifier: GPL-2.0
/* Creates entries in keyed stores, and adds to them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* struct Take in take.rs. */
struct take {
	u64 owner; /* a thread id, the id of a cgroup, or a key */
	u64 val;
	u32 id;
	u32 off;
};

/* Return values of the programs. */
#define NO_STORE 1
#define NO_ENTRY 2
#define NO_OWNER 3
#define NO_ADD 4

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;

static __always_inline int add(struct take *t, struct bpf_percpu_store *entry)
{
	if (!entry)
		return NO_ENTRY;
	return bpf_percpu_add_u64(entry, t->off, t->val) ? NO_ADD : 0;
}

SEC("syscall")
int take_key(struct take *t)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(t->id);
	if (s)
		ret = add(t,
			  bpf_percpu_key_store(s, t->owner,
					       BPF_LOCAL_STORAGE_GET_F_CREATE));
	bpf_rcu_read_unlock();
	return ret;
}

SEC("syscall")
int take_task(struct take *t)
{
	struct bpf_percpu_store *s;
	struct task_struct *task;
	int ret = NO_STORE;

	task = bpf_task_from_pid(t->owner);
	if (!task)
		return NO_OWNER;
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(t->id);
	if (s)
		ret = add(t, bpf_percpu_task_store(
				     s, task, BPF_LOCAL_STORAGE_GET_F_CREATE));
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return ret;
}

SEC("syscall")
int take_cgroup(struct take *t)
{
	struct bpf_percpu_store *s;
	struct cgroup *cgrp;
	int ret = NO_STORE;

	cgrp = bpf_cgroup_from_id(t->owner);
	if (!cgrp)
		return NO_OWNER;
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(t->id);
	if (s)
		ret = add(t, bpf_percpu_cgroup_store(
				     s, cgrp, BPF_LOCAL_STORAGE_GET_F_CREATE));
	bpf_rcu_read_unlock();
	bpf_cgroup_release(cgrp);
	return ret;
}

char _license[] SEC("license") = "GPL";
