// SPDX-License-Identifier: GPL-2.0
/* A weak function that strong.bpf.c overrides. */
#include "snippet.h"

u64 count SEC(".percpu");

int other(int n);

__weak __noinline int overridden(int n)
{
	count += n;
	return 0;
}

SEC("tc")
int calls(struct __sk_buff *skb)
{
	count += 1;
	return overridden(skb->len) + other(skb->len);
}
