// SPDX-License-Identifier: GPL-2.0
/* A callback of bpf_loop() that uses variables, as does its caller; and a callback's callback. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct passed {
	u64 sum;
	u32 step;
};

u64 calls SEC(".percpu");
u64 inner_calls SEC(".percpu.inner");
u64 sums[4] SEC(".percpu");
u64 result SEC(".percpu") = 3;

static int inner(u32 i, struct passed *ctx)
{
	inner_calls++;
	ctx->sum += i;
	return 0;
}

static int outer(u32 i, struct passed *ctx)
{
	calls += ctx->step;
	bpf_loop(2, inner, ctx, 0);
	sums[i & 3] += i;
	ctx->sum += calls;
	/* Leaves the loop. */
	return i == 9;
}

SEC("tc")
int loop(struct __sk_buff *skb)
{
	struct passed ctx = { .step = 2 };

	result += bpf_loop(100, outer, &ctx, 0);
	result += ctx.sum;
	return 0;
}
