// SPDX-License-Identifier: GPL-2.0
/* A program on the packets of a cgroup. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 packets[2] SEC(".percpu");
u64 bytes SEC(".percpu.bytes") = 1;

static __noinline int count(struct __sk_buff *skb, int way)
{
	packets[way & 1]++;
	bytes += skb->len;
	return 1;
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	return count(skb, 0);
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	return count(skb, 1);
}
