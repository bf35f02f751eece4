// SPDX-License-Identifier: GPL-2.0
/* Views: a CPU's slot of a store as memory, and exact operations on it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

struct traffic {
	u64 bytes;
	u64 number;
	u64 largest;
	u32 packets;
	u32 each;
	u32 seen;
	u32 tokens;
};
BPF_PERCPU_STORE(traffic, "reference_views", struct traffic);

/* [bpf_percpu_store_this_cpu] */
static struct traffic *this_traffic(void)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);
	void *view;

	view = s ? bpf_percpu_store_this_cpu(s, 0, sizeof(struct traffic)) :
		   NULL;
	return view;
}
/* [end] */

/* [bpf_percpu_view_add_u64] */
SEC("xdp")
int count(struct xdp_md *ctx)
{
	struct traffic *here = this_traffic();

	if (here) {
		bpf_percpu_view_add_u64(&here->bytes,
					ctx->data_end - ctx->data);
		bpf_percpu_view_add_u32(&here->packets, 1);
	}
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_view_add_return_u64] */
/* Lets a hundred packets of a CPU pass. */
SEC("xdp")
int first_hundred(struct xdp_md *ctx)
{
	struct traffic *here = this_traffic();

	if (!here)
		return XDP_ABORTED;
	return bpf_percpu_view_add_return_u64(&here->number, 1) <= 100 ?
		       XDP_PASS :
		       XDP_DROP;
}
/* [end] */

/* [bpf_percpu_view_add_return_u32] */
/* Lets every fourth packet of a CPU pass. */
SEC("xdp")
int each_fourth(struct xdp_md *ctx)
{
	struct traffic *here = this_traffic();

	if (!here)
		return XDP_ABORTED;
	return bpf_percpu_view_add_return_u32(&here->each, 1) % 4 ? XDP_DROP :
								    XDP_PASS;
}
/* [end] */

/* [bpf_percpu_view_xchg_u64] */
/* Returns the count of this CPU since the last call. No count is lost in between. */
SEC("syscall")
int take_bytes(void *ctx)
{
	struct traffic *here;
	u64 bytes = 0;

	bpf_rcu_read_lock();
	here = this_traffic();
	if (here)
		bytes = bpf_percpu_view_xchg_u64(&here->bytes, 0);
	bpf_rcu_read_unlock();
	return bytes;
}
/* [end] */

/* [bpf_percpu_view_xchg_u32] */
/* Lets the first packet of a CPU pass, until user space clears the mark. */
SEC("xdp")
int first(struct xdp_md *ctx)
{
	struct traffic *here = this_traffic();

	if (!here)
		return XDP_ABORTED;
	return bpf_percpu_view_xchg_u32(&here->seen, 1) ? XDP_DROP : XDP_PASS;
}
/* [end] */

/* [bpf_percpu_view_cmpxchg_u64] */
/* The length of the largest packet; a program that interrupts this one may have another. */
SEC("xdp")
int largest(struct xdp_md *ctx)
{
	struct traffic *here = this_traffic();
	u64 len = ctx->data_end - ctx->data, expect, old;

	if (!here)
		return XDP_ABORTED;
	expect = here->largest;
	bpf_repeat(8)
	{
		if (expect >= len)
			break;
		old = bpf_percpu_view_cmpxchg_u64(&here->largest, expect, len);
		if (old == expect)
			break;
		expect = old;
	}
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_view_cmpxchg_u32] */
/* Takes one of the tokens that user space provides, if one is left. */
SEC("xdp")
int take_token(struct xdp_md *ctx)
{
	struct traffic *here = this_traffic();
	u32 expect, old;

	if (!here)
		return XDP_ABORTED;
	expect = here->tokens;
	bpf_repeat(8)
	{
		if (!expect)
			return XDP_DROP;
		old = bpf_percpu_view_cmpxchg_u32(&here->tokens, expect,
						  expect - 1);
		if (old == expect)
			return XDP_PASS;
		expect = old;
	}
	return XDP_ABORTED;
}
/* [end] */

/* [bpf_percpu_store_per_cpu] */
/* The CPU that got the most packets. */
SEC("syscall")
int busiest(void *ctx)
{
	struct bpf_percpu_store *s;
	int *cpu, busiest = -1;
	u32 most = 0;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(traffic.id);
	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		const struct traffic *there;

		if (!s)
			break;
		there = (void *)bpf_percpu_store_per_cpu(s, *cpu, 0,
							 sizeof(*there));
		if (there && there->packets > most) {
			most = there->packets;
			busiest = *cpu;
		}
	}
	bpf_rcu_read_unlock();
	return busiest;
}
/* [end] */
