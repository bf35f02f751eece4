// SPDX-License-Identifier: GPL-2.0
/* Global functions, which the verifier checks on their own. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 calls SEC(".percpu");
u64 sum SEC(".percpu") = 50;
u32 marks[16] SEC(".percpu.marks");

__noinline int count(void)
{
	calls++;
	return calls & 0x7fffffff;
}

__noinline int add(int a, u32 b, u64 c)
{
	sum += a + b + c;
	count();
	return a;
}

/* Uses the context after the access. */
__noinline int mark(struct __sk_buff *skb, u32 i)
{
	if (i < 16)
		marks[i] += skb->len;
	return skb->len;
}

SEC("tc")
int call(struct __sk_buff *skb)
{
	int n = count();

	n = add(n, 10, 100);
	return mark(skb, n & 15);
}
