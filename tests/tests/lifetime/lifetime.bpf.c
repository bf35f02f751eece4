// SPDX-License-Identifier: GPL-2.0
/*
 * Takes and drops references to stores in each way.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

#define CLOCK_MONOTONIC 1

char _license[] SEC("license") = "GPL";

/* struct Shared in shared.rs. */
struct {
	u64 seen; /* the number that a program has read */
	u64 ticks; /* runs of the program in another context */
	u32 store_id;
	u32 holding; /* a program has a view */
	u32 go; /* the program may go on */
	u32 rounds; /* how long the program has waited */
} shared = {};

struct kept {
	struct bpf_percpu_store __kptr *store;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} kptrs SEC(".maps");

static __always_inline struct bpf_percpu_store *acquire(void)
{
	struct bpf_percpu_store *s;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(shared.store_id);
	if (s)
		s = bpf_percpu_store_acquire(s);
	bpf_rcu_read_unlock();
	return s;
}

/* Moves a reference to the store into element 0. */
SEC("syscall")
int keep(void *ctx)
{
	struct bpf_percpu_store *s, *old;
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return 1;
	s = acquire();
	if (!s)
		return 2;
	old = bpf_kptr_xchg(&kept->store, s);
	if (old)
		bpf_percpu_store_release(old);
	return 0;
}

static __always_inline struct bpf_percpu_store *take(void)
{
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	return kept ? bpf_kptr_xchg(&kept->store, NULL) : NULL;
}

/* Counts in the store of element 0. */
SEC("syscall")
int count(void *ctx)
{
	struct bpf_percpu_store *s, *old;
	struct kept *kept;
	u32 key = 0;
	int ret;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return 1;
	s = bpf_kptr_xchg(&kept->store, NULL);
	if (!s)
		return 2;
	ret = bpf_percpu_add_u64(s, 0, 1);
	old = bpf_kptr_xchg(&kept->store, s);
	if (old)
		bpf_percpu_store_release(old);
	return ret;
}

SEC("syscall")
int count_by_id(void *ctx)
{
	int ret;

	bpf_rcu_read_lock();
	ret = bpf_percpu_id_add_u64(shared.store_id, 0, 1);
	bpf_rcu_read_unlock();
	return ret ? 1 : 0;
}

static __always_inline int let_go(void)
{
	struct bpf_percpu_store *s = take();

	if (!s)
		return 1;
	bpf_percpu_store_release(s);
	return 0;
}

SEC("syscall")
int drop(void *ctx)
{
	return let_go();
}

/* The same in hard interrupt context. */
SEC("perf_event")
int drop_in_interrupt(void *ctx)
{
	if (!let_go())
		__sync_fetch_and_add(&shared.ticks, 1);
	return 0;
}

/* The same in NMI context. */
SEC("raw_tp/nmi_handler")
int drop_in_nmi(void *ctx)
{
	if (!let_go())
		__sync_fetch_and_add(&shared.ticks, 1);
	return 0;
}

#define ROUNDS 65536

/* A timeout in ns: far longer than the test takes to set go. */
#define PATIENCE 120000000000

/*
 * Takes a view, waits for go, and reads. Meanwhile only the fact that the
 * program runs keeps the memory.
 */
SEC("syscall")
int hold(void *ctx)
{
	volatile u32 *go = &shared.go;
	struct bpf_percpu_store *s;
	u64 start = bpf_ktime_get_ns();
	u64 *view = NULL;
	int i;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(shared.store_id);
	if (s)
		view = (u64 *)bpf_percpu_store_this_cpu(s, 0, 4096);
	bpf_rcu_read_unlock();
	if (!view)
		return 1;
	shared.holding = 1;
	bpf_for(i, 0, 1 << 20)
	{
		if (*go || bpf_ktime_get_ns() - start > PATIENCE)
			break;
		bpf_repeat(ROUNDS)
		{
			if (*go)
				break;
		}
		__sync_fetch_and_add(&shared.rounds, 1);
	}
	shared.seen = 0;
	bpf_for(i, 0, 512) shared.seen += view[i];
	view[0] = 1;
	return *go ? 0 : 2;
}
