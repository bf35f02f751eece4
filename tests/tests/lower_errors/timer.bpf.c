// SPDX-License-Identifier: GPL-2.0
/* A timer, which the kernel looks for in maps. */
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
