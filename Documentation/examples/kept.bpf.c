// SPDX-License-Identifier: GPL-2.0
/* Keeps a store in a map, for as long as the map lives. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* The id is for counting: the verifier does not allow using the pointer in place. */
struct kept {
	struct bpf_percpu_store __kptr *store;
	u32 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} stores SEC(".maps");

/* [keep] */
SEC("syscall")
int keep(void *ctx)
{
	struct bpf_percpu_store *s;
	struct kept *kept;
	u32 zero = 0;

	kept = bpf_map_lookup_elem(&stores, &zero);
	if (!kept)
		return 1;
	s = bpf_percpu_store_lookup("packets");
	if (!s)
		return 2;
	kept->id = s->id;
	/* From here on the map owns the reference, and drops it when it is freed. */
	s = bpf_kptr_xchg(&kept->store, s);
	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
/* [keep end] */

/* [count] */
SEC("xdp")
int count(struct xdp_md *ctx)
{
	struct kept *kept;
	u32 zero = 0;

	kept = bpf_map_lookup_elem(&stores, &zero);
	if (!kept)
		return XDP_PASS;
	bpf_percpu_id_add_u64(kept->id, 0, 1);
	return XDP_PASS;
}
/* [count end] */
