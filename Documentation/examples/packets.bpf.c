// SPDX-License-Identifier: GPL-2.0
/* Counts the packets and bytes that a device receives. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

struct counts {
	u64 packets, bytes;
};
BPF_PERCPU_STORE(counts, "packet_counts", struct counts);

SEC("xdp")
int count(struct xdp_md *ctx)
{
	u64 len = ctx->data_end - ctx->data;

	bpf_percpu_id_add_u64(counts.id, offsetof(struct counts, packets), 1);
	bpf_percpu_id_add_u64(counts.id, offsetof(struct counts, bytes), len);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
