// SPDX-License-Identifier: GPL-2.0
/* No per-CPU variables at all. */
#include "snippet.h"

int count;

SEC("tc")
int counts(struct __sk_buff *skb)
{
	count += 1;
	return 0;
}
