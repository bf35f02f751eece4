// SPDX-License-Identifier: GPL-2.0
/* Functions that use one, two and three sections, and copy values between them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 plain SEC(".percpu") = 1;
u64 first_pad SEC(".percpu.first");
u64 first SEC(".percpu.first") = 10;
u32 second_pad[7] SEC(".percpu.second");
u32 second SEC(".percpu.second") = 100;

SEC("tc")
int one(struct __sk_buff *skb)
{
	plain += 1;
	return 0;
}

SEC("tc")
int two(struct __sk_buff *skb)
{
	first += plain;
	plain += 1;
	return 0;
}

static __noinline u64 sum_of(u64 more)
{
	return plain + first + second + more;
}

SEC("tc")
int three(struct __sk_buff *skb)
{
	u64 was = sum_of(1);

	second += first;
	first += plain;
	plain = was;
	return 0;
}

SEC("tc")
int without(struct __sk_buff *skb)
{
	return skb->len;
}
