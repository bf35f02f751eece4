// SPDX-License-Identifier: GPL-2.0
/*
 * Adds to stores that come and go, found in each way that there is.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* struct Args in stress.rs. */
struct args {
	u64 magic; /* which store: expected, or found */
	u32 id;
	u32 slot; /* the offset that the calling thread counts at */
	u32 name; /* or the element of kptrs */
	u32 pad;
};

/* What a program returns. */
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

/* Adds to the store with an id, if it is the one that it should be. */
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
	ret = bpf_percpu_add_u64(s, args->slot, 1) ? NO_ROOM : COUNTED;
	/* The one call may come too late for a store that nobody holds. */
	if (!ret && bpf_percpu_id_add_u64(args->id, args->slot, 1))
		args->magic = 0;
out:
	bpf_rcu_read_unlock();
	return ret;
}

static __always_inline int add(struct args *args, struct bpf_percpu_store *s)
{
	int ret = magic_of(s, &args->magic);

	args->id = s->id;
	if (!ret && bpf_percpu_add_u64(s, args->slot, 1))
		ret = NO_ROOM;
	return ret;
}

#define LOOKUP(n)                                          \
	case n:                                            \
		s = bpf_percpu_store_lookup("stress-" #n); \
		break

/* Adds to the store with a name, and says which it was. */
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

/* Keeps the store with a name in a map, in the place of another. */
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

/* Adds to a store that a map keeps, which nobody else may have left. */
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
