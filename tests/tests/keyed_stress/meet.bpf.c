// SPDX-License-Identifier: GPL-2.0
/* Uses keyed stores of each kind in each way, while stores, owners and entries come and go. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

/* The number of rounds in a run of a program, and of keys that only it uses. */
#define STEPS 32
#define KEYS 8

char _license[] SEC("license") = "GPL";

/* struct Input in meet.rs. */
struct {
	u32 tgid;
	u32 tasks; /* ids of the stores, by the kind of owner */
	u32 cgroups;
	u32 keys;
	u32 dropped; /* user space has dropped them */
} input = { -1, -1, -1, -1, 0 };

/* struct Counts in meet.rs. */
struct {
	u64 created;
	u64 waiting; /* programs that wait until stores are dropped */
	u64 created_late; /* entries that those have created */
	u64 deleted;
	u64 iterated;
	u64 kept;
	u64 dirty; /* new entries that were not zero */
	u64 miscounted; /* entries without the sum of their only user's adds */
	u64 changed; /* entries that got another owner while a map kept them */
} counts = {};

/* struct Args in meet.rs. */
struct args {
	u64 cgroup;
	u32 thread; /* number of the calling thread: its element of kptrs, and its own keys */
	u32 pad;
};

struct kept {
	struct bpf_percpu_store __kptr *entry;
	u64 key;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, struct kept);
} kptrs SEC(".maps");

#define COUNT(what) __sync_fetch_and_add(&counts.what, 1)

static __always_inline u64 sum(struct bpf_percpu_store *entry, u32 off)
{
	u64 sum = -1;

	bpf_percpu_sum_u64(entry, off, bpf_get_possible_cpumask(), &sum);
	return sum;
}

/* @entry is new, and only the caller has it. */
static __always_inline void begin(struct bpf_percpu_store *entry)
{
	COUNT(created);
	if (sum(entry, 0) || sum(entry, 8))
		COUNT(dirty);
	bpf_percpu_add_u64(entry, 0, 1);
}

/* Keeps @entry in the map, in place of another. */
static __always_inline void keep(struct bpf_percpu_store *entry, u32 thread)
{
	struct bpf_percpu_store *old;
	struct kept *kept;

	kept = bpf_map_lookup_elem(&kptrs, &thread);
	if (!kept)
		return;
	old = bpf_kptr_xchg(&kept->entry, NULL);
	if (old) {
		/* Without an owner the key may be 0. */
		if (old->key && old->key != kept->key)
			COUNT(changed);
		bpf_percpu_add_u64(old, 8, 1);
		bpf_percpu_store_release(old);
	}
	entry = bpf_percpu_store_acquire(entry);
	if (!entry)
		return;
	kept->key = entry->key;
	old = bpf_kptr_xchg(&kept->entry, entry);
	if (old)
		bpf_percpu_store_release(old);
	COUNT(kept);
}

/* A key that only the caller uses. */
static __always_inline void use_own(struct bpf_percpu_store *s, u64 key,
				    u32 thread)
{
	struct bpf_percpu_store *entry = bpf_percpu_key_store(s, key, 0);

	if (!entry) {
		entry = bpf_percpu_key_store(s, key,
					     BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (entry)
			begin(entry);
		return;
	}
	if (sum(entry, 0) != 1)
		COUNT(miscounted);
	keep(entry, thread);
	if (!bpf_percpu_key_delete(s, key))
		COUNT(deleted);
}

/* A key that all threads use. */
static __always_inline void use_shared(struct bpf_percpu_store *s, u64 key)
{
	if (bpf_percpu_key_store(s, key, BPF_LOCAL_STORAGE_GET_F_CREATE))
		bpf_percpu_key_delete(s, key);
}

static __always_inline void iterate(struct bpf_percpu_store *s)
{
	struct bpf_percpu_store *entry;

	bpf_for_each(percpu_entry, entry, s) {
		sum(entry, 0);
		COUNT(iterated);
	}
}

/* All in one RCU section: the store may be dropped meanwhile. */
SEC("syscall")
int churn(struct args *args)
{
	u64 own = ((u64)args->thread + 1) << 32;
	struct bpf_percpu_store *tasks, *keys;
	u32 i;

	bpf_rcu_read_lock();
	keys = bpf_percpu_store_get(input.keys);
	tasks = bpf_percpu_store_get(input.tasks);
	bpf_for(i, 0, STEPS)
	{
		if (keys) {
			use_own(keys, own | (i % KEYS), args->thread);
			if (i % 8 == 0)
				use_shared(keys, i);
		}
		if (i % 16 != 15)
			continue;
		if (keys)
			iterate(keys);
		if (tasks)
			iterate(tasks);
	}
	bpf_rcu_read_unlock();
	return 0;
}

/* How long to wait, in ns. */
#define PATIENCE 15000000000

/* Finds a store, waits until it is dropped, and creates an entry for the caller. */
SEC("syscall")
int create_late(void *ctx)
{
	volatile u32 *dropped = &input.dropped;
	u64 start = bpf_ktime_get_ns();
	struct bpf_percpu_store *s, *entry;
	int i, ret = 1;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(input.tasks);
	if (!s)
		goto out;
	COUNT(waiting);
	bpf_for(i, 0, 1 << 23)
	{
		if (*dropped || bpf_ktime_get_ns() - start > PATIENCE)
			break;
	}
	ret = 2;
	if (!*dropped || bpf_percpu_store_get(input.tasks))
		goto out;
	ret = 3;
	entry = bpf_percpu_task_store(s, bpf_get_current_task_btf(),
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry) {
		begin(entry);
		COUNT(created_late);
		ret = 0;
	}
out:
	bpf_rcu_read_unlock();
	return ret;
}

/* Creates an entry for the calling task. */
static __always_inline int use_task(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s, *entry;

	s = bpf_percpu_store_get(input.tasks);
	if (!s || bpf_percpu_task_store(s, task, 0))
		return 0;
	entry = bpf_percpu_task_store(s, task, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		begin(entry);
	return 0;
}

/* getpgid() */
SEC("lsm/task_getpgid")
int BPF_PROG(called, struct task_struct *of)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->tgid != input.tgid)
		return 0;
	return use_task();
}

/* Creates an entry for a cgroup, and keeps it in the map. */
SEC("syscall")
int use_cgroup(struct args *args)
{
	struct bpf_percpu_store *s, *entry;
	struct cgroup *cgrp;
	int ret = 1;

	cgrp = bpf_cgroup_from_id(args->cgroup);
	if (!cgrp)
		return 2;
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(input.cgroups);
	if (s) {
		entry = bpf_percpu_cgroup_store(s, cgrp, 0);
		if (!entry) {
			entry = bpf_percpu_cgroup_store(
				s, cgrp, BPF_LOCAL_STORAGE_GET_F_CREATE);
			if (entry)
				begin(entry);
		}
		if (entry) {
			keep(entry, args->thread);
			ret = 0;
		}
	}
	bpf_rcu_read_unlock();
	bpf_cgroup_release(cgrp);
	return ret;
}
