// SPDX-License-Identifier: GPL-2.0
/* A program with a global function that replacement.bpf.c replaces. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 runs SEC(".percpu");
u64 own SEC(".percpu");
u64 answers SEC(".percpu.answers");

__noinline int answer(struct __sk_buff *skb, int n)
{
	own++;
	/* Hides the result from the compiler. */
	asm volatile("" : "+r"(n) : "r"(skb));
	return n;
}

SEC("tc")
int ask(struct __sk_buff *skb)
{
	runs++;
	answers += answer(skb, 5);
	return 0;
}
