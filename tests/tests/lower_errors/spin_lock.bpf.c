// SPDX-License-Identifier: GPL-2.0
/* A lock: the kernel supports it in maps only. */
#include "snippet.h"

struct pair {
	u64 count;
	struct bpf_spin_lock lock;
};

struct pair pairs[2] SEC(".percpu.locked");

SEC("tc")
int locks(struct __sk_buff *skb)
{
	pairs[0].count += 1;
	return 0;
}
