// SPDX-License-Identifier: GPL-2.0
/* A dynptr: the kernel makes one from a map's value only. */
#include "snippet.h"

char room[32] SEC(".percpu");

SEC("tc")
int points(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;

	return bpf_dynptr_from_mem(room, sizeof(room), 0, &ptr);
}
