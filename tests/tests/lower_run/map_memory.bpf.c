// SPDX-License-Identifier: GPL-2.0
/* Variables as keys and values of maps. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct map_key {
	u32 cpu;
	char name[12];
};

struct value {
	u64 runs;
	u64 filler[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct map_key);
	__type(value, struct value);
} seen SEC(".maps");

struct map_key key SEC(".percpu") = { .name = "of a CPU" };
struct value value SEC(".percpu.values") = { .filler = { 1, 2, 3, 4 } };
u64 from_map SEC(".percpu");

SEC("tc")
int keep(struct __sk_buff *skb)
{
	struct value *found;

	key.cpu = bpf_get_smp_processor_id();
	value.runs++;
	if (bpf_map_update_elem(&seen, &key, &value, BPF_ANY))
		return -1;
	found = bpf_map_lookup_elem(&seen, &key);
	if (!found)
		return -2;
	from_map += found->runs + found->filler[3];
	return 0;
}

SEC("tc")
int forget(struct __sk_buff *skb)
{
	key.cpu = bpf_get_smp_processor_id();
	return bpf_map_delete_elem(&seen, &key);
}
