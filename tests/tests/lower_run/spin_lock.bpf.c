// SPDX-License-Identifier: GPL-2.0
/* A spin lock of an ordinary map around accesses. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct shared_count {
	struct bpf_spin_lock lock;
	u64 count;
	u64 copy;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct shared_count);
} shared_counts SEC(".maps");

u64 mine SEC(".percpu");
u64 newest SEC(".percpu.newest");
u64 locked SEC(".percpu.newest");

SEC("tc")
int count(struct __sk_buff *skb)
{
	struct shared_count *shared_count;
	u32 zero = 0;

	shared_count = bpf_map_lookup_elem(&shared_counts, &zero);
	if (!shared_count)
		return -1;
	bpf_spin_lock(&shared_count->lock);
	shared_count->count++;
	mine++;
	newest = shared_count->count;
	shared_count->copy += mine;
	bpf_spin_unlock(&shared_count->lock);
	locked++;
	return 0;
}
