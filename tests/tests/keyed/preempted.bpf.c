// SPDX-License-Identifier: GPL-2.0
/* A program that uses an entry for a long time. */
#include "call.h"

/* struct Shared in preempted.rs. */
struct {
	u64 key;
	u64 entry; /* the entry that the program got */
	u64 found; /* the entry that the program found later */
	s64 deleted;
	u32 id; /* of the store */
	u32 holding; /* the program has its entry */
	u32 go; /* the program may go on */
	u32 done;
} shared = {};

/* A timeout in ns: far longer than the test takes to set go. */
#define PATIENCE 120000000000

#define ROUNDS 65536

static __always_inline void wait(void)
{
	volatile u32 *go = &shared.go;
	u64 start = bpf_ktime_get_ns();
	int i;

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
	}
}

static __always_inline void create(struct bpf_percpu_store *s)
{
	shared.entry = (u64)bpf_percpu_key_store(
		s, shared.key, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline void delete(struct bpf_percpu_store *s)
{
	shared.found = (u64)bpf_percpu_key_store(s, shared.key, 0);
	shared.deleted = bpf_percpu_key_delete(s, shared.key);
}

/* Waits between two RCU sections. */
SEC("?syscall")
int between_sections(void *ctx)
{
	struct bpf_percpu_store *s;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(shared.id);
	if (s)
		create(s);
	bpf_rcu_read_unlock();
	wait();
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(shared.id);
	if (s)
		delete (s);
	bpf_rcu_read_unlock();
	shared.done = 1;
	return 0;
}

/* Waits within an RCU section. */
SEC("?syscall")
int in_a_section(void *ctx)
{
	struct bpf_percpu_store *s;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(shared.id);
	if (s) {
		create(s);
		wait();
		delete (s);
	}
	bpf_rcu_read_unlock();
	shared.done = 1;
	return 0;
}
