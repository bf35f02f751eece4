// SPDX-License-Identifier: GPL-2.0
/* Lets a number of packets pass that user space sets, counted over all CPUs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

struct budget {
	u64 packets;
	u64 limit; /* set from user space, the same on each CPU */
};
BPF_PERCPU_STORE(budget, "budget", struct budget);

/* [limit] */
SEC("xdp")
int limit(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s;
	struct budget *here;
	u64 packets;

	s = bpf_percpu_store_get(budget.id);
	if (!s)
		return XDP_PASS;
	here = (struct budget *)bpf_percpu_store_this_cpu(s, 0, sizeof(*here));
	if (!here)
		return XDP_PASS;
	bpf_percpu_view_add_u64(&here->packets, 1);
	bpf_percpu_sum_u64(s, offsetof(struct budget, packets),
			   bpf_get_possible_cpumask(), &packets);
	return packets > here->limit ? XDP_DROP : XDP_PASS;
}
/* [limit end] */

/* [busiest] */
static __always_inline u64 packets_on(struct bpf_percpu_store *s, int cpu)
{
	u32 off = offsetof(struct budget, packets);
	const u64 *packets;

	packets = (const u64 *)bpf_percpu_store_per_cpu(s, cpu, off, 8);
	return packets ? *packets : 0;
}

SEC("xdp")
int busiest(struct xdp_md *ctx)
{
	struct bpf_percpu_store *s;
	int cpu, most = 0;

	s = bpf_percpu_store_get(budget.id);
	if (!s)
		return 0;
	bpf_for_each_cpu(cpu, bpf_get_possible_cpumask())
		most = packets_on(s, cpu) > packets_on(s, most) ? cpu : most;
	return most;
}
/* [busiest end] */

char _license[] SEC("license") = "GPL";
