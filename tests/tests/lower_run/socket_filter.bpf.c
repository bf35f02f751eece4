// SPDX-License-Identifier: GPL-2.0
/* A program on a socket: keeps packets of even length. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 kept SEC(".percpu");
u64 dropped SEC(".percpu");
u32 newest[4] SEC(".percpu.newest");

SEC("socket")
int filter(struct __sk_buff *skb)
{
	newest[(kept + dropped) & 3] = skb->len;
	if (skb->len & 1) {
		dropped++;
		return 0;
	}
	kept++;
	return skb->len;
}
