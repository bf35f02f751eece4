// SPDX-License-Identifier: GPL-2.0
/* A per-CPU variable whose initial value is an address. */
#include "snippet.h"

int other;
int *where SEC(".percpu") = &other;

SEC("tc")
int counts(struct __sk_buff *skb)
{
	return where ? 1 : 0;
}
