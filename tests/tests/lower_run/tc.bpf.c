// SPDX-License-Identifier: GPL-2.0
/* A TC program that reads and writes packets and their marks. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 packets SEC(".percpu");
u64 by_length[16] SEC(".percpu");
u8 loaded[32] SEC(".percpu.loaded");
u32 next_mark SEC(".percpu.mark") = 40;

SEC("tc")
int look(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;

	packets++;
	by_length[(skb->len >> 5) & 15]++;
	skb->mark = ++next_mark;
	if (bpf_skb_load_bytes(skb, 14, loaded, sizeof(loaded)))
		return 2;
	if (data + 1 <= end && *(u8 *)data == 9)
		packets += 1000;
	return skb->mark == next_mark;
}
