// SPDX-License-Identifier: GPL-2.0
/* This CPU's slot of a store, without a check. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

struct traffic {
	u64 packets, bytes;
};
BPF_PERCPU_STORE(traffic, "reference_data", struct traffic);

/* [bpf_percpu_data] */
SEC("xdp")
int count(struct xdp_md *ctx)
{
	struct traffic *here =
		(void *)bpf_percpu_data(traffic.id, sizeof(*here));

	bpf_percpu_view_add_u64(&here->packets, 1);
	bpf_percpu_view_add_u64(&here->bytes, ctx->data_end - ctx->data);
	return XDP_PASS;
}
/* [end] */
