// SPDX-License-Identifier: GPL-2.0
/* A per-CPU variable, and one that all CPUs share. */
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
