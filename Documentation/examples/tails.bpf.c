// SPDX-License-Identifier: GPL-2.0
/* Two programs for a packet: the second uses what the first has computed. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "handed.h"

char _license[] SEC("license") = "GPL";

int finish(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} next SEC(".maps") = {
	.values = { [0] = (void *)&finish },
};

/* policy.bpf.c replaces this function. */
__noinline int policy(struct xdp_md *ctx)
{
	int ret = 0;

	asm volatile("" : "+r"(ret) : "r"(ctx));
	return ret;
}

/* [start] */
SEC("xdp")
int start(struct xdp_md *ctx)
{
	struct handed *here;

	here = (struct handed *)bpf_percpu_data(handed.id, sizeof(*here));
	here->packet = (u64)ctx;
	here->len = ctx->data_end - ctx->data;
	here->drop = 0;
	policy(ctx);
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS;
}
/* [start end] */

/* [finish] */
SEC("xdp")
int finish(struct xdp_md *ctx)
{
	struct handed *here;

	here = (struct handed *)bpf_percpu_data(handed.id, sizeof(*here));
	if (bpf_percpu_view_xchg_u64(&here->packet, 0) != (u64)ctx) {
		bpf_percpu_view_add_u64(&here->mixed, 1);
		return XDP_PASS;
	}
	bpf_percpu_view_add_u64(&here->seen, 1);
	return here->drop ? XDP_DROP : XDP_PASS;
}
/* [finish end] */
