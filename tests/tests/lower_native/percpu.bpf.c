// SPDX-License-Identifier: GPL-2.0
/* A program with a variable in the section .percpu, which the kernel supports from 7.3 on. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

__u64 count SEC(".percpu");

SEC("tc")
int count_up(struct __sk_buff *skb)
{
	count += 1;
	return 0;
}
