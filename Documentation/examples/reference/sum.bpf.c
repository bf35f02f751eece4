// SPDX-License-Identifier: GPL-2.0
/* Sums over the CPUs of a mask. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

struct traffic {
	u64 bytes;
	u32 packets;
};
BPF_PERCPU_STORE(traffic, "reference_sum", struct traffic);

/* [bpf_percpu_sum_u64] */
/* Drops all packets after the first megabyte, counted over all CPUs. */
SEC("xdp")
int one_megabyte(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(traffic.id);
	u64 bytes;

	if (!s)
		return XDP_ABORTED;
	bpf_percpu_add_u64(s, offsetof(struct traffic, bytes),
			   ctx->data_end - ctx->data);
	if (bpf_percpu_sum_u64(s, offsetof(struct traffic, bytes),
			       bpf_get_possible_cpumask(), &bytes))
		return XDP_ABORTED;
	return bytes <= 1 << 20 ? XDP_PASS : XDP_DROP;
}
/* [end] */

/* [bpf_percpu_sum_u32] */
/* The number of packets on the CPUs that the task may use. */
SEC("syscall")
int packets_of_my_cpus(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_percpu_store *s;
	u32 packets = 0;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(traffic.id);
	if (s)
		bpf_percpu_sum_u32(s, offsetof(struct traffic, packets),
				   task->cpus_ptr, &packets);
	bpf_rcu_read_unlock();
	return packets;
}
/* [end] */
