// SPDX-License-Identifier: GPL-2.0
/* A pointer whose initial value the loader would have to know. */
#include "snippet.h"

int other;
int *where SEC(".percpu") = &other;

SEC("tc")
int counts(struct __sk_buff *skb)
{
	return where ? 1 : 0;
}
