// SPDX-License-Identifier: GPL-2.0
/* Operations on a number of a store, by handle and by id. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

struct traffic {
	u64 bytes;
	u64 number; /* of the CPU's last packet */
	u64 largest;
	u32 packets;
	u32 seen; /* since user space looked */
	u32 burst;
	u32 owner;
};
BPF_PERCPU_STORE(traffic, "reference_percpu", struct traffic);

/* [bpf_percpu_add_u64] */
SEC("xdp")
int count(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);

	if (s) {
		bpf_percpu_add_u64(s, offsetof(struct traffic, bytes),
				   ctx->data_end - ctx->data);
		bpf_percpu_add_u32(s, offsetof(struct traffic, packets), 1);
	}
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_add_return_u64] */
/* Numbers the packets of each CPU; drops those after the first hundred. */
SEC("xdp")
int first_hundred(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);
	u64 number;

	if (!s || bpf_percpu_add_return_u64(s, offsetof(struct traffic, number),
					    1, &number))
		return XDP_ABORTED;
	return number <= 100 ? XDP_PASS : XDP_DROP;
}
/* [end] */

/* [bpf_percpu_add_return_u32] */
/* Lets every fourth packet of a CPU pass. */
SEC("xdp")
int each_fourth(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);
	u32 packets;

	if (!s || bpf_percpu_add_return_u32(
			  s, offsetof(struct traffic, packets), 1, &packets))
		return XDP_ABORTED;
	return packets % 4 ? XDP_DROP : XDP_PASS;
}
/* [end] */

/* [bpf_percpu_xchg_u64] */
/* Returns the count of this CPU since the last call. No count is lost in between. */
SEC("syscall")
int take_bytes(void *ctx)
{
	struct bpf_percpu_store *s;
	u64 bytes = 0;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(traffic.id);
	if (s)
		bpf_percpu_xchg_u64(s, offsetof(struct traffic, bytes), 0,
				    &bytes);
	bpf_rcu_read_unlock();
	return bytes;
}
/* [end] */

/* [bpf_percpu_xchg_u32] */
/* Lets the first packet of a CPU pass, until user space clears the mark. */
SEC("xdp")
int first(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);
	u32 seen;

	if (!s ||
	    bpf_percpu_xchg_u32(s, offsetof(struct traffic, seen), 1, &seen))
		return XDP_ABORTED;
	return seen ? XDP_DROP : XDP_PASS;
}
/* [end] */

/* [bpf_percpu_cmpxchg_u64] */
/* The length of the largest packet; a program that interrupts this one may have another. */
SEC("xdp")
int largest(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);
	u64 len = ctx->data_end - ctx->data, expect = 0, old;

	if (!s)
		return XDP_ABORTED;
	bpf_repeat(8)
	{
		if (bpf_percpu_cmpxchg_u64(s, offsetof(struct traffic, largest),
					   expect, len, &old))
			return XDP_ABORTED;
		if (old == expect || old >= len)
			break;
		expect = old;
	}
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_cmpxchg_u32] */
/* Makes the task the owner of this CPU, unless it has one. Returns 0 for the owner. */
SEC("syscall")
int own(void *ctx)
{
	u32 pid = bpf_get_current_pid_tgid(), owner = 0;
	struct bpf_percpu_store *s;
	int error = -1;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(traffic.id);
	if (s)
		error = bpf_percpu_cmpxchg_u32(
			s, offsetof(struct traffic, owner), 0, pid, &owner);
	bpf_rcu_read_unlock();
	return error || (owner && owner != pid);
}
/* [end] */

/* [bpf_percpu_id_add_u64] */
SEC("xdp")
int count_by_id(struct xdp_md *ctx)
{
	bpf_percpu_id_add_u64(traffic.id, offsetof(struct traffic, bytes),
			      ctx->data_end - ctx->data);
	return XDP_PASS;
}
/* [end] */

/* [bpf_percpu_id_add_u32] */
/* Counts a packet. Drops packets that cannot be counted. */
SEC("xdp")
int count_burst(struct xdp_md *ctx)
{
	return bpf_percpu_id_add_u32(traffic.id,
				     offsetof(struct traffic, burst), 1) ?
		       XDP_ABORTED :
		       XDP_PASS;
}
/* [end] */
