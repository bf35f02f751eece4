// SPDX-License-Identifier: GPL-2.0
/* A chain of three static subprograms, each with variables before and after the call. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 depth[4] SEC(".percpu");
u64 path SEC(".percpu.path");
u64 after SEC(".percpu");

static __noinline u64 third(u64 n)
{
	depth[3] += n;
	path = path * 10 + 3;
	return n + 1;
}

static __noinline u64 second(u64 n)
{
	u64 ret;

	depth[2] += n;
	path = path * 10 + 2;
	ret = third(n + 1);
	after += ret;
	return ret + n;
}

static __noinline u64 first(u64 n)
{
	u64 ret;

	path = path * 10 + 1;
	ret = second(n + 1) + second(n + 2);
	depth[1] += ret;
	return ret;
}

SEC("tc")
int run(struct __sk_buff *skb)
{
	path = 0;
	depth[0] += first(1);
	after += 1000;
	return 0;
}
