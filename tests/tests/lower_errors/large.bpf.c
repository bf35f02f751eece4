// SPDX-License-Identifier: GPL-2.0
/* A section that is larger than a per-CPU allocation can be. */
#include "snippet.h"

u64 many[4097] SEC(".percpu.large");

SEC("tc")
int counts(struct __sk_buff *skb)
{
	many[skb->len & 4095] += 1;
	return 0;
}
