// SPDX-License-Identifier: GPL-2.0
/*
 * Adds to stores that are created and removed meanwhile, found in each way.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* struct Args in stress.rs. */
struct args {
	u64 magic; /* of the store: expected, or found */
	u32 id;
	u32 counter; /* offset of the calling thread's counter */
	u32 name; /* number of the name, or element of kptrs */
	u32 pad;
};

/* Return values of programs. */
enum {
	COUNTED,
	NO_STORE,
	OTHER_STORE,
	NO_ROOM,
};

struct kept {
	struct bpf_percpu_store __kptr *store;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, struct kept);
} kptrs SEC(".maps");

static __always_inline int magic_of(struct bpf_percpu_store *s, u64 *magic)
{
	u64 *view = (u64 *)bpf_percpu_store_this_cpu(s, 0, sizeof(*view));

	if (!view)
		return NO_ROOM;
	*magic = *view;
	return COUNTED;
}

/* Adds to the store with this id, if it has the expected magic number. */
SEC("syscall")
int by_id(struct args *args)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;
	u64 magic = 0;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(args->id);
	if (!s)
		goto out;
	ret = magic_of(s, &magic);
	if (ret)
		goto out;
	ret = OTHER_STORE;
	if (magic != args->magic || s->id != args->id)
		goto out;
	ret = bpf_percpu_add_u64(s, args->counter, 1) ? NO_ROOM : COUNTED;
	/* The second add may fail if nothing keeps the store. */
	if (!ret && bpf_percpu_id_add_u64(args->id, args->counter, 1))
		args->magic = 0;
out:
	bpf_rcu_read_unlock();
	return ret;
}

static __always_inline int add(struct args *args, struct bpf_percpu_store *s)
{
	int ret = magic_of(s, &args->magic);

	args->id = s->id;
	if (!ret && bpf_percpu_add_u64(s, args->counter, 1))
		ret = NO_ROOM;
	return ret;
}

#define LOOKUP(n)                                          \
	case n:                                            \
		s = bpf_percpu_store_lookup("stress-" #n); \
		break

/* Adds to the store with this name, and returns its magic number and id. */
static __always_inline struct bpf_percpu_store *lookup(u32 name)
{
	struct bpf_percpu_store *s = NULL;

	switch (name) {
		LOOKUP(0);
		LOOKUP(1);
		LOOKUP(2);
		LOOKUP(3);
		LOOKUP(4);
		LOOKUP(5);
		LOOKUP(6);
		LOOKUP(7);
		LOOKUP(8);
		LOOKUP(9);
		LOOKUP(10);
		LOOKUP(11);
		LOOKUP(12);
		LOOKUP(13);
		LOOKUP(14);
		LOOKUP(15);
	}
	return s;
}

SEC("syscall")
int by_name(struct args *args)
{
	struct bpf_percpu_store *s;
	int ret;

	s = lookup(args->name);
	if (!s)
		return NO_STORE;
	ret = add(args, s);
	bpf_percpu_store_release(s);
	return ret;
}

/* Keeps the store with this name in a map, in place of another. */
SEC("syscall")
int keep(struct args *args)
{
	struct bpf_percpu_store *s, *old;
	u32 key = args->name % 8;
	struct kept *kept;
	int ret;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return NO_ROOM;
	s = lookup(args->name);
	if (!s)
		return NO_STORE;
	ret = add(args, s);
	old = bpf_kptr_xchg(&kept->store, s);
	if (old)
		bpf_percpu_store_release(old);
	return ret;
}

/* Adds to a store in the map, which may be its only user. */
SEC("syscall")
int by_kptr(struct args *args)
{
	struct bpf_percpu_store *s, *old;
	u32 key = args->name % 8;
	struct kept *kept;
	int ret;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return NO_ROOM;
	s = bpf_kptr_xchg(&kept->store, NULL);
	if (!s)
		return NO_STORE;
	ret = add(args, s);
	old = bpf_kptr_xchg(&kept->store, s);
	if (old)
		bpf_percpu_store_release(old);
	return ret;
}
