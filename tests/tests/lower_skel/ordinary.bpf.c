// SPDX-License-Identifier: GPL-2.0
/* A program without per-CPU variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

__u64 count;

SEC("syscall")
int count_up(void *ctx)
{
	count += 1;
	return 0;
}
