// SPDX-License-Identifier: GPL-2.0
/* Replaces answer() of replaced.bpf.c. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 replacements SEC(".percpu");
u64 handed SEC(".percpu");

SEC("freplace")
int answer_better(struct __sk_buff *skb, int n)
{
	replacements++;
	handed += n;
	return n * 100 + !skb->len;
}
