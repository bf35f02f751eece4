// SPDX-License-Identifier: GPL-2.0
/* A callback of bpf_for_each_map_elem() that uses variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} elements SEC(".maps");

u64 visits SEC(".percpu");
u64 by_key[4] SEC(".percpu");
u64 newest SEC(".percpu.newest") = 17;

static long visit(struct bpf_map *map, u32 *key, u64 *value, void *ctx)
{
	u32 k = *key;

	visits++;
	if (k < 4)
		by_key[k] += k + *value;
	newest = k;
	/* Stops before the last element. */
	return k == 2;
}

SEC("tc")
int each(struct __sk_buff *skb)
{
	return bpf_for_each_map_elem(&elements, visit, NULL, 0);
}
