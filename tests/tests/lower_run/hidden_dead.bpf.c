// SPDX-License-Identifier: GPL-2.0
/* A hidden function whose callers omit the arguments that it does not use. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 bytes SEC(".percpu");
int zero;

__hidden __noinline int odd(int len, int unused, int constant)
{
	bytes += len;
	return len & 1;
}

static __noinline int first_of_all(int len)
{
	int ret = odd(len, zero, 3) + 1;

	bytes += 2;
	return ret;
}

SEC("tc")
int call(struct __sk_buff *skb)
{
	return first_of_all(skb->len);
}
