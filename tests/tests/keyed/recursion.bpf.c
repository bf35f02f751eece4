// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that interrupt a call on an entry, and make calls on the same entry
 * and its neighbours.
 */
#include "call.h"

/* The results of an interrupting program. */
struct tried {
	u64 found; /* the entry's address, or 0 */
	u64 created;
	s64 deleted; /* an errno */
};

/* The calls that an interrupting program tries, as bits. */
#define TRY_FIND 1
#define TRY_CREATE 2
#define TRY_DELETE 4

/* struct Shared in interrupted.rs. */
struct {
	u64 keys[3]; /* of the interrupting program */
	struct tried tried[3];
	u64 key; /* of the interrupted program */
	u64 entry; /* the entry that the interrupted program got */
	s64 deleted;
	u32 id; /* of the store */
	u32 what; /* TRY_* of the interrupting program */
	u32 deletes; /* the interrupted program deletes instead of creating */
	u32 outer_armed; /* the interrupted program may run */
	u32 armed; /* the thread to interrupt next; or NMI */
	u32 interrupted; /* number of interruptions */
	u32 done; /* the interrupted program has finished */
	u32 pad;
	u64 counted; /* adds to the entry of keys[0] */
	u64 strange; /* impossible results */
	u64 nmis;
} shared = {};

static __always_inline void try(struct bpf_percpu_store *s, int i)
{
	struct tried *tried = &shared.tried[i];
	u64 key = shared.keys[i];

	if (shared.what & TRY_FIND)
		tried->found = (u64)bpf_percpu_key_store(s, key, 0);
	if (shared.what & TRY_CREATE)
		tried->created = (u64)bpf_percpu_key_store(
			s, key, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (shared.what & TRY_DELETE)
		tried->deleted = bpf_percpu_key_delete(s, key);
}

static __always_inline void try_all(void)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(shared.id);

	if (s) {
		try(s, 0);
		try(s, 1);
		try(s, 2);
	}
	__sync_fetch_and_add(&shared.interrupted, 1);
}

#define NMI 0xffffffffU

static __always_inline u32 this_thread(void)
{
	return bpf_get_current_pid_tgid();
}

/* Whether this thread is armed. If it is, arms @then instead. */
static __always_inline bool is_armed(u32 then)
{
	u32 thread = this_thread();

	return __sync_val_compare_and_swap(&shared.armed, thread, then) ==
	       thread;
}

/* Attached to a function of the module. */
SEC("?kprobe")
int interrupt(void *ctx)
{
	if (is_armed(0))
		try_all();
	return 0;
}

SEC("?perf_event")
int interrupt_at(void *ctx)
{
	if (is_armed(0))
		try_all();
	return 0;
}

/* A timeout in ns, far longer than the test takes to send an NMI. */
#define PATIENCE 60000000000

/* Attached to the same function: spins until an NMI has arrived. */
SEC("?kprobe")
int await_nmi(void *ctx)
{
	volatile u32 *interrupted = &shared.interrupted;
	u64 start = bpf_ktime_get_ns();
	int i;

	if (!is_armed(NMI))
		return 0;
	bpf_for(i, 0, 1 << 23)
	{
		if (*interrupted || bpf_ktime_get_ns() - start > PATIENCE)
			break;
	}
	return 0;
}

SEC("?raw_tp/nmi_handler")
int nmi(void *ctx)
{
	if (__sync_val_compare_and_swap(&shared.armed, NMI, 0) == NMI)
		try_all();
	return 0;
}

static __always_inline void outer(void)
{
	struct bpf_percpu_store *s;

	if (!__sync_val_compare_and_swap(&shared.outer_armed, 1, 0))
		return;
	s = bpf_percpu_store_get(shared.id);
	if (!s)
		return;
	shared.armed = this_thread();
	if (shared.deletes)
		shared.deleted = bpf_percpu_key_delete(s, shared.key);
	else
		shared.entry = (u64)bpf_percpu_key_store(
			s, shared.key, BPF_LOCAL_STORAGE_GET_F_CREATE);
	shared.armed = 0;
	shared.done = 1;
}

/* The interrupted programs. */
SEC("?syscall")
int outer_syscall(void *ctx)
{
	bpf_rcu_read_lock();
	outer();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?raw_tp/sys_enter")
int outer_raw_tp(void *ctx)
{
	outer();
	return 0;
}

SEC("?tp_btf/sys_enter")
int outer_tp_btf(void *ctx)
{
	outer();
	return 0;
}

/* The possible results of a creation or deletion in any context. */
static __always_inline void come_and_go(struct bpf_percpu_store *s)
{
	struct bpf_percpu_store *entry;
	int error;

	entry = bpf_percpu_key_store(s, shared.keys[1],
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry &&
	    (entry->id != shared.id || bpf_percpu_add_u64(entry, 0, 1)))
		__sync_fetch_and_add(&shared.strange, 1);
	error = bpf_percpu_key_delete(s, shared.keys[1]);
	/* 0, -ENOENT, -EDEADLK, -ETIMEDOUT */
	if (error && error != -2 && error != -35 && error != -110)
		__sync_fetch_and_add(&shared.strange, 1);
	entry = bpf_percpu_key_store(s, shared.keys[0],
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry && !bpf_percpu_add_u64(entry, 0, 1))
		__sync_fetch_and_add(&shared.counted, 1);
	else
		__sync_fetch_and_add(&shared.strange, 1);
}

SEC("?raw_tp/nmi_handler")
int nmi_comes_and_goes(void *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(shared.id);

	if (s) {
		come_and_go(s);
		__sync_fetch_and_add(&shared.nmis, 1);
	}
	return 0;
}

SEC("?syscall")
int comes_and_goes(void *ctx)
{
	struct bpf_percpu_store *s;
	int i;

	bpf_for(i, 0, 1000)
	{
		bpf_rcu_read_lock();
		s = bpf_percpu_store_get(shared.id);
		if (s)
			come_and_go(s);
		bpf_rcu_read_unlock();
	}
	return 0;
}
