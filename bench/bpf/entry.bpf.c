// SPDX-License-Identifier: GPL-2.0
/* Entries of keyed stores, and the kernel's own storage of tasks, cgroups and sockets. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"
#include "measure.h"

#define CREATE BPF_LOCAL_STORAGE_GET_F_CREATE

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} of_tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} of_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} of_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} hash SEC(".maps");

/* Runs @body in an RCU section, with the keyed store @s and owners. */
#define WITH_STORE(program, store_name, body)                          \
	SEC("syscall")                                                 \
	int program(void *ctx)                                         \
	{                                                              \
		struct bpf_percpu_store *s;                            \
		struct task_struct *task = bpf_get_current_task_btf(); \
		__u64 key __attribute__((unused)) = 1;                 \
		s = bpf_percpu_store_lookup(store_name);               \
		if (!s)                                                \
			return -1;                                     \
		bpf_rcu_read_lock();                                   \
		{                                                      \
			struct cgroup *cgrp __attribute__((unused)) =  \
				task->cgroups->dfl_cgrp;               \
			body;                                          \
		}                                                      \
		bpf_rcu_read_unlock();                                 \
		bpf_percpu_store_release(s);                           \
		return 0;                                              \
	}

#define TASK_STORAGE bpf_task_storage_get(&of_tasks, task, 0, flags)
#define TASK_ENTRY bpf_percpu_task_store(s, task, flags)
#define CGROUP_STORAGE bpf_cgrp_storage_get(&of_cgroups, cgrp, 0, flags)
#define CGROUP_ENTRY bpf_percpu_cgroup_store(s, cgrp, flags)
#define U64_ENTRY bpf_percpu_key_store(s, key, flags)

#define FIND(program, store_name, get)          \
	WITH_STORE(add_##program, store_name, { \
		__u64 flags = CREATE;           \
		USE(get);                       \
	})                                      \
	WITH_STORE(program, store_name, {       \
		__u64 flags = 0;                \
		MEASURE(USE(get));              \
	})

WITH_STORE(empty, "bench-u64", MEASURE(NOTHING))

FIND(task_storage, "bench-task", TASK_STORAGE)
FIND(task_entry, "bench-task", TASK_ENTRY)
FIND(cgroup_storage, "bench-cgroup", CGROUP_STORAGE)
FIND(cgroup_entry, "bench-cgroup", CGROUP_ENTRY)
FIND(u64_entry, "bench-u64", U64_ENTRY)

WITH_STORE(add_u64_storage, "bench-u64", {
	__u64 zero = 0;

	bpf_map_update_elem(&hash, &key, &zero, BPF_ANY);
})
WITH_STORE(u64_storage, "bench-u64",
	   { MEASURE(USE(bpf_map_lookup_elem(&hash, &key))); })

/* Runs @body once for each of @n threads of the caller, and measures the total. */
#define EACH_THREAD(program, n, body)                                          \
	WITH_STORE(program##_##n, "bench-task", {                              \
		struct task_struct *thread;                                    \
		__u32 left = (n);                                              \
		__u64 start = bpf_ktime_get_ns();                              \
		bpf_for_each(task, thread, task, BPF_TASK_ITER_PROC_THREADS) { \
			if (!left)                                             \
				break;                                         \
			left--;                                                \
			body;                                                  \
		}                                                              \
		result.took = bpf_ktime_get_ns() - start;                      \
		result.sum = left;                                             \
	})

/* Runs @body once for each of @n keys, and measures the total. */
#define EACH_KEY(program, n, body)                        \
	WITH_STORE(program##_##n, "bench-u64", {          \
		__u64 start = bpf_ktime_get_ns();         \
		int i;                                    \
		bpf_for(i, 0, n)                          \
		{                                         \
			body;                             \
		}                                         \
		result.took = bpf_ktime_get_ns() - start; \
		result.sum = 0;                           \
	})

#define CREATE_STORAGE USE(bpf_task_storage_get(&of_tasks, thread, 0, CREATE))
#define DELETE_STORAGE bpf_task_storage_delete(&of_tasks, thread)
#define CREATE_ENTRY USE(bpf_percpu_task_store(s, thread, CREATE))
#define DELETE_ENTRY bpf_percpu_task_delete(s, thread)
#define CREATE_KEY USE(bpf_percpu_key_store(s, i, CREATE))
#define DELETE_KEY bpf_percpu_key_delete(s, i)

#define BATCHES(n)                                          \
	EACH_THREAD(each_thread, n, NOTHING)                \
	EACH_THREAD(create_task_storage, n, CREATE_STORAGE) \
	EACH_THREAD(delete_task_storage, n, DELETE_STORAGE) \
	EACH_THREAD(create_task_entry, n, CREATE_ENTRY)     \
	EACH_THREAD(delete_task_entry, n, DELETE_ENTRY)     \
	EACH_KEY(each_key, n, NOTHING)                      \
	EACH_KEY(create_key_entry, n, CREATE_KEY)           \
	EACH_KEY(delete_key_entry, n, DELETE_KEY)

BATCHES(16)
BATCHES(32)
BATCHES(64)

/*
 * Programs cannot iterate over sockets. Their owner runs this program once for
 * each, and subtracts the cost of reading the clock twice.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(create_sk_storage, struct sock *sk, int old, int new)
{
	__u64 start, created;

	if (new != BPF_TCP_LISTEN)
		return 0;
	start = bpf_ktime_get_ns();
	USE(bpf_sk_storage_get(&of_sockets, sk, 0, CREATE));
	created = bpf_ktime_get_ns();
	result.took += created - start;
	result.sum += bpf_ktime_get_ns() - created;
	return 0;
}
