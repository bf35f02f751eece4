// SPDX-License-Identifier: GPL-2.0
/* Counts packets by their EtherType. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "bpf_percpu.bpf.h"

BPF_PERCPU_KEYED_STORE(types, "ethertypes", BPF_PERCPU_KEY_U64, u64, 64);

/* [count] */
SEC("xdp")
int count(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct bpf_percpu_store *s, *entry;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) > end)
		return XDP_PASS;
	s = bpf_percpu_store_get(types.id);
	if (!s)
		return XDP_PASS;
	entry = bpf_percpu_key_store(s, bpf_ntohs(eth->h_proto),
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (entry)
		bpf_percpu_add_u64(entry, 0, 1);
	return XDP_PASS;
}
/* [count end] */

/* [forget] */
const volatile u64 few = 2;

/* Removes the types that were seen less often. Returns how many. */
SEC("xdp")
int forget(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s, *entry;
	int forgotten = 0;
	u64 seen;

	s = bpf_percpu_store_get(types.id);
	if (!s)
		return 0;
	bpf_for_each(percpu_entry, entry, s) {
		if (bpf_percpu_sum_u64(entry, 0, bpf_get_possible_cpumask(),
				       &seen))
			continue;
		if (seen < few && !bpf_percpu_key_delete(s, entry->key))
			forgotten++;
	}
	return forgotten;
}
/* [forget end] */

char _license[] SEC("license") = "GPL";
