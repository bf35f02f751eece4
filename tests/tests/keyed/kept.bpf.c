// SPDX-License-Identifier: GPL-2.0
/* Keeps a reference to an entry in a map. */
#include "call.h"

struct kept {
	struct bpf_percpu_store __kptr *entry;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} kptrs SEC(".maps");

static __always_inline int keep_it(struct call *c,
				   struct bpf_percpu_store *entry)
{
	struct bpf_percpu_store *owned, *old;
	struct kept *kept;
	u32 key = 0;

	if (!entry)
		return NO_ENTRY;
	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return BAD_CALL;
	owned = bpf_percpu_store_acquire(entry);
	if (!owned)
		return NO_STORE;
	old = bpf_kptr_xchg(&kept->entry, owned);
	if (old)
		bpf_percpu_store_release(old);
	return 0;
}

SEC("?syscall")
int keep(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = WITH_ENTRY(c, s, keep_it);
	bpf_rcu_read_unlock();
	return ret;
}

/* Adds to the kept entry, and reads it. */
SEC("?syscall")
int use_kept(struct call *c)
{
	struct bpf_percpu_store *entry, *again;
	struct kept *kept;
	u64 result = 0;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return BAD_CALL;
	entry = bpf_kptr_xchg(&kept->entry, NULL);
	if (!entry)
		return NO_ENTRY;
	c->entry = (u64)entry;
	c->key = entry->key;
	c->entry_id = entry->id;
	c->entry_size = entry->size;
	c->error = bpf_percpu_add_return_u64(entry, c->off, c->val, &result);
	c->result = result;
	/* A holder of a reference can take another. */
	again = bpf_percpu_store_acquire(entry);
	if (again)
		bpf_percpu_store_release(again);
	entry = bpf_kptr_xchg(&kept->entry, entry);
	if (entry)
		bpf_percpu_store_release(entry);
	return again ? 0 : NO_STORE;
}

SEC("?syscall")
int let_go(struct call *c)
{
	struct bpf_percpu_store *entry;
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return BAD_CALL;
	entry = bpf_kptr_xchg(&kept->entry, NULL);
	if (!entry)
		return NO_ENTRY;
	bpf_percpu_store_release(entry);
	return 0;
}
