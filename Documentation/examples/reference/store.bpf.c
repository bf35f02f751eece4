// SPDX-License-Identifier: GPL-2.0
/* Handles of stores: unowned, owned, and kept in a map. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

struct traffic {
	u64 packets, bytes;
};
BPF_PERCPU_STORE(traffic, "reference_store", struct traffic);

struct kept {
	struct bpf_percpu_store __kptr *store;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} keeper SEC(".maps");

/* [bpf_percpu_store_get] */
/* Adds to two counters with one lookup. */
SEC("xdp")
int count(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);

	if (s) {
		bpf_percpu_add_u64(s, offsetof(struct traffic, packets), 1);
		bpf_percpu_add_u64(s, offsetof(struct traffic, bytes),
				   ctx->data_end - ctx->data);
	}
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_store_lookup] */
/* Counts in a store of another program, if it exists. */
SEC("syscall")
int count_in_another(void *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("reference_other");
	int error;

	if (!s)
		return 1;
	error = bpf_percpu_add_u64(s, 0, 1);
	bpf_percpu_store_release(s);
	return error;
}
/* [end] */

/* [bpf_percpu_store_acquire] */
/* Keeps the store in a map: it lives at least as long as the map. */
SEC("syscall")
int keep(void *ctx)
{
	struct bpf_percpu_store *s;
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&keeper, &key);
	if (!kept)
		return 1;
	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(traffic.id);
	if (s)
		s = bpf_percpu_store_acquire(s);
	bpf_rcu_read_unlock();
	if (!s)
		return 2;
	s = bpf_kptr_xchg(&kept->store, s);
	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
/* [end] */

/* [bpf_percpu_store_release] */
/* Takes the store out of the map, and releases it. */
SEC("syscall")
int let_go(void *ctx)
{
	struct bpf_percpu_store *s;
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&keeper, &key);
	if (!kept)
		return 1;
	s = bpf_kptr_xchg(&kept->store, NULL);
	if (!s)
		return 2;
	bpf_percpu_store_release(s);
	return 0;
}
/* [end] */
