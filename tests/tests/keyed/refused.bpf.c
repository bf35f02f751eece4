// SPDX-License-Identifier: GPL-2.0
/* Programs that use entries in ways that the verifier must reject. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"
#include "../pair.h"

char _license[] SEC("license") = "GPL";

/* Not constant to the verifier. */
u32 id;
u64 number;

#define CREATE BPF_LOCAL_STORAGE_GET_F_CREATE

/* The call without an RCU section, in a sleepable program. */
#define WITHOUT_RCU(name, ...)                                                 \
	static __always_inline int name##_without_rcu_if(bool mistake)         \
	{                                                                      \
		struct task_struct *task = bpf_get_current_task_btf();         \
		struct bpf_percpu_store *s = bpf_percpu_store_lookup("store"); \
		struct cgroup *cgrp = bpf_cgroup_from_id(number);              \
		if (s && cgrp) {                                               \
			if (!mistake)                                          \
				bpf_rcu_read_lock();                           \
			bpf_percpu_##name(s, __VA_ARGS__);                     \
			if (!mistake)                                          \
				bpf_rcu_read_unlock();                         \
		}                                                              \
		/* Each call has one of them. */                               \
		barrier_var(task);                                             \
		if (cgrp)                                                      \
			bpf_cgroup_release(cgrp);                              \
		if (s)                                                         \
			bpf_percpu_store_release(s);                           \
		return 0;                                                      \
	}                                                                      \
	PAIR("syscall", name##_without_rcu)
WITHOUT_RCU(task_store, task, CREATE)
WITHOUT_RCU(cgroup_store, cgrp, CREATE)
WITHOUT_RCU(key_store, number, CREATE)
WITHOUT_RCU(task_delete, task)
WITHOUT_RCU(cgroup_delete, cgrp)
WITHOUT_RCU(key_delete, number)

static __always_inline struct bpf_percpu_store *entry_of(u64 key)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	return s ? bpf_percpu_key_store(s, key, CREATE) : NULL;
}

static __always_inline int entry_after_unlock_if(bool mistake)
{
	struct bpf_percpu_store *entry;

	bpf_rcu_read_lock();
	entry = entry_of(number);
	if (mistake) {
		bpf_rcu_read_unlock();
		bpf_rcu_read_lock();
	}
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", entry_after_unlock)

static __always_inline int acquire_after_unlock_if(bool mistake)
{
	struct bpf_percpu_store *entry;

	bpf_rcu_read_lock();
	entry = entry_of(number);
	if (mistake)
		bpf_rcu_read_unlock();
	if (entry)
		entry = bpf_percpu_store_acquire(entry);
	if (!mistake)
		bpf_rcu_read_unlock();
	if (entry)
		bpf_percpu_store_release(entry);
	return 0;
}
PAIR("syscall", acquire_after_unlock)

static __always_inline int release_of_entry_if(bool mistake)
{
	struct bpf_percpu_store *entry = entry_of(number);

	if (entry && mistake)
		bpf_percpu_store_release(entry);
	return 0;
}
PAIR("tc", release_of_entry)

static __always_inline int no_release_if(bool mistake)
{
	struct bpf_percpu_store *entry = entry_of(number);

	if (entry)
		entry = bpf_percpu_store_acquire(entry);
	if (entry && !mistake)
		bpf_percpu_store_release(entry);
	return 0;
}
PAIR("tc", no_release)

static __always_inline int write_through_entry_if(bool mistake)
{
	struct bpf_percpu_store *entry = entry_of(number);

	if (!entry)
		return 0;
	if (mistake)
		entry->key = 1;
	return entry->key;
}
PAIR("tc", write_through_entry)

/* Uses each pointer that may be NULL without a check. */
#define UNCHECKED(name, ...)                                           \
	static __always_inline int unchecked_##name##_if(bool mistake) \
	{                                                              \
		struct task_struct *task = bpf_get_current_task_btf(); \
		struct bpf_percpu_store *entry;                        \
		struct bpf_percpu_store *s = bpf_percpu_store_get(id); \
		struct cgroup *cgrp = bpf_cgroup_from_id(number);      \
		if (!cgrp)                                             \
			return 0;                                      \
		barrier_var(task);                                     \
		entry = s ? bpf_percpu_##name(s, __VA_ARGS__) : s;     \
		bpf_cgroup_release(cgrp);                              \
		if (!s)                                                \
			return 0;                                      \
		if (mistake || entry)                                  \
			bpf_percpu_add_u64(entry, 0, 1);               \
		return 0;                                              \
	}                                                              \
	PAIR("raw_tp/sys_enter", unchecked_##name)
UNCHECKED(task_store, task, CREATE)
UNCHECKED(cgroup_store, cgrp, CREATE)
UNCHECKED(key_store, number, CREATE)

static __always_inline int null_store_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (mistake || s)
		bpf_percpu_key_store(s, number, CREATE);
	return 0;
}
PAIR("tc", null_store)

static __always_inline int null_owner_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct task_struct *task = bpf_task_from_pid(number);

	if (s && mistake)
		bpf_percpu_task_store(s, task, CREATE);
	if (!task)
		return 0;
	if (s)
		bpf_percpu_task_store(s, task, CREATE);
	bpf_task_release(task);
	return 0;
}
PAIR("raw_tp/sys_enter", null_owner)

/* A pointer from a field that is neither trusted nor protected by RCU. */
static __always_inline int untrusted_task_if(bool mistake)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (mistake)
		task = task->last_wakee;
	if (s)
		bpf_percpu_task_store(s, task, CREATE);
	return 0;
}
PAIR("raw_tp/sys_enter", untrusted_task)

static __always_inline int untrusted_task_of_delete_if(bool mistake)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (mistake)
		task = task->last_wakee;
	if (s)
		bpf_percpu_task_delete(s, task);
	return 0;
}
PAIR("raw_tp/sys_enter", untrusted_task_of_delete)

static __always_inline int untrusted_cgroup_if(bool mistake)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct cgroup *cgrp = bpf_cgroup_from_id(number);

	if (!cgrp)
		return 0;
	if (s && mistake)
		bpf_percpu_cgroup_store(
			s, task->cgroups->dfl_cgrp->old_dom_cgrp, CREATE);
	if (s)
		bpf_percpu_cgroup_store(s, cgrp, CREATE);
	bpf_cgroup_release(cgrp);
	return 0;
}
PAIR("raw_tp/sys_enter", untrusted_cgroup)

static __always_inline int cgroup_as_task_if(bool mistake)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct cgroup *cgrp = bpf_cgroup_from_id(number);

	if (!cgrp)
		return 0;
	if (s)
		bpf_percpu_task_store(s, mistake ? (void *)cgrp : task, CREATE);
	bpf_cgroup_release(cgrp);
	return 0;
}
PAIR("raw_tp/sys_enter", cgroup_as_task)

static __always_inline int scalar_as_task_if(bool mistake)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (s)
		bpf_percpu_task_store(
			s, mistake ? (void *)0xffffffff81000000 : task, CREATE);
	return 0;
}
PAIR("raw_tp/sys_enter", scalar_as_task)

static __always_inline int iterator_without_rcu_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");
	struct bpf_iter_percpu_entry it;

	if (!s)
		return 0;
	if (!mistake)
		bpf_rcu_read_lock();
	bpf_iter_percpu_entry_new(&it, s);
	bpf_iter_percpu_entry_next(&it);
	bpf_iter_percpu_entry_destroy(&it);
	if (!mistake)
		bpf_rcu_read_unlock();
	bpf_percpu_store_release(s);
	return 0;
}
PAIR("syscall", iterator_without_rcu)

static __always_inline int next_after_unlock_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");
	struct bpf_iter_percpu_entry it;

	if (!s)
		return 0;
	bpf_rcu_read_lock();
	bpf_iter_percpu_entry_new(&it, s);
	if (mistake) {
		bpf_rcu_read_unlock();
		bpf_rcu_read_lock();
	}
	bpf_iter_percpu_entry_next(&it);
	bpf_iter_percpu_entry_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_percpu_store_release(s);
	return 0;
}
PAIR("syscall", next_after_unlock)

static __always_inline int no_destroy_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct bpf_iter_percpu_entry it;

	if (!s)
		return 0;
	bpf_iter_percpu_entry_new(&it, s);
	bpf_iter_percpu_entry_next(&it);
	if (!mistake)
		bpf_iter_percpu_entry_destroy(&it);
	return 0;
}
PAIR("tc", no_destroy)

static __always_inline int next_after_destroy_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct bpf_iter_percpu_entry it;

	if (!s)
		return 0;
	bpf_iter_percpu_entry_new(&it, s);
	bpf_iter_percpu_entry_next(&it);
	bpf_iter_percpu_entry_destroy(&it);
	if (mistake)
		bpf_iter_percpu_entry_next(&it);
	return 0;
}
PAIR("tc", next_after_destroy)

static __always_inline int next_without_new_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct bpf_iter_percpu_entry it;

	if (!s)
		return 0;
	if (!mistake)
		bpf_iter_percpu_entry_new(&it, s);
	bpf_iter_percpu_entry_next(&it);
	bpf_iter_percpu_entry_destroy(&it);
	return 0;
}
PAIR("tc", next_without_new)

static __always_inline int unchecked_next_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct bpf_iter_percpu_entry it;
	struct bpf_percpu_store *entry;

	if (!s)
		return 0;
	bpf_iter_percpu_entry_new(&it, s);
	entry = bpf_iter_percpu_entry_next(&it);
	if (mistake || entry)
		bpf_percpu_add_u64(entry, 0, 1);
	bpf_iter_percpu_entry_destroy(&it);
	return 0;
}
PAIR("tc", unchecked_next)

static __always_inline int entry_after_walk_if(bool mistake)
{
	struct bpf_percpu_store *entry;
	struct bpf_iter_percpu_entry it;
	struct bpf_percpu_store *s;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(id);
	if (!s) {
		bpf_rcu_read_unlock();
		return 0;
	}
	bpf_iter_percpu_entry_new(&it, s);
	entry = bpf_iter_percpu_entry_next(&it);
	bpf_iter_percpu_entry_destroy(&it);
	if (!mistake && entry)
		bpf_percpu_add_u64(entry, 0, 1);
	bpf_rcu_read_unlock();
	if (mistake && entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return 0;
}
PAIR("syscall", entry_after_walk)
