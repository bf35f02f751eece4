// SPDX-License-Identifier: GPL-2.0
/* Counts all context switches, and those of preempted tasks. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

struct counts {
	u64 switches, preempted;
};

BPF_PERCPU_STORE(counts, "switches", struct counts);

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempted)
{
	bpf_percpu_id_add_u64(counts.id, offsetof(struct counts, switches), 1);
	if (preempted)
		bpf_percpu_id_add_u64(counts.id,
				      offsetof(struct counts, preempted), 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
