// SPDX-License-Identifier: GPL-2.0
/* The address of a per-CPU variable as an initial value: it differs on each CPU. */
#include "snippet.h"

int count SEC(".percpu");
int *where = &count;

SEC("tc")
int counts(struct __sk_buff *skb)
{
	count += where ? 1 : 0;
	return 0;
}
