// SPDX-License-Identifier: GPL-2.0
/* Counts packets in a per-CPU variable. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

u64 packets SEC(".percpu");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	packets += 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
