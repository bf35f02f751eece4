// SPDX-License-Identifier: GPL-2.0
/* A timer: the kernel supports it in maps only. */
#include "snippet.h"

struct {
	u32 n;
	struct {
		struct bpf_timer timer;
	} inner;
} late SEC(".percpu");

SEC("tc")
int waits(struct __sk_buff *skb)
{
	late.n += 1;
	return 0;
}
