// SPDX-License-Identifier: GPL-2.0
/* A variable that each CPU has, and one that all have. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int data SEC(".percpu") = 1;
__u64 runs;

SEC("raw_tracepoint/sys_enter")
int count(void *ctx)
{
	data += 1;
	runs += 1;
	return 0;
}

char _license[] SEC("license") = "GPL";
