// SPDX-License-Identifier: GPL-2.0
/* Static subprograms with five arguments, which are all used after the access. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 count SEC(".percpu");
u64 sums[5] SEC(".percpu.sums");
u64 total SEC(".percpu") = 1;

static __noinline u64 weigh(u64 a, u64 b, u64 c, u64 d, u64 e)
{
	count++;
	sums[0] += a;
	sums[1] += b;
	sums[2] += c;
	sums[3] += d;
	sums[4] += e;
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e;
}

/* Some are pointers to the stack and to the context. */
static __noinline int look(struct __sk_buff *skb, u32 *on_stack, u64 *in_map,
			   int n, u64 big)
{
	count += 100;
	*on_stack += skb->len;
	*in_map += n;
	return *on_stack + n + (big >> 32);
}

SEC("tc")
int call(struct __sk_buff *skb)
{
	u32 on_stack = 3;
	int n = skb->len;

	total += weigh(n, n + 1, n + 2, n + 3, count);
	total += look(skb, &on_stack, &sums[0], -2, 5ULL << 32);
	total += on_stack;
	return 0;
}
