// SPDX-License-Identifier: GPL-2.0
/* Variables in two sections. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

static __always_inline u32 len_of(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

/* [program] */
u64 packets SEC(".percpu");
struct {
	u64 bytes;
	u32 sizes[8];
} traffic SEC(".percpu.traffic");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	packets += 1;
	traffic.bytes += len_of(ctx);
	traffic.sizes[len_of(ctx) >> 8 & 7] += 1;
	return XDP_PASS;
}
/* [program end] */
