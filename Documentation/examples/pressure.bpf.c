// SPDX-License-Identifier: GPL-2.0
/* Shows how long the tasks of each cgroup have waited for a CPU. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

static __always_inline u32 waited_on(struct cgroup *cgrp, int cpu)
{
	const struct psi_group_cpu *psi = bpf_cgroup_psi_cpu(cgrp, cpu);

	return psi ? psi->times[PSI_CPU_SOME] : 0;
}

SEC("iter/cgroup")
int pressure(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgrp = ctx->cgroup;
	u64 waited = 0;
	int cpu;

	if (!cgrp)
		return 0;
	bpf_for_each_cpu(cpu, bpf_get_possible_cpumask())
		waited += waited_on(cgrp, cpu);
	BPF_SEQ_PRINTF(ctx->meta->seq, "cgroup %llu: %llu ns\n", cgrp->kn->id,
		       waited);
	return 0;
}

char _license[] SEC("license") = "GPL";
