// SPDX-License-Identifier: GPL-2.0
/* Lists processes that may not run on all online CPUs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

SEC("iter/task")
int bound(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	bool all = true;
	int cpu;

	if (!task || !task->mm)
		return 0;
	bpf_for_each_cpu(cpu, bpf_get_online_cpumask())
		all = all && bpf_cpumask_test_cpu(cpu, &task->cpus_mask);
	if (all)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%s, thread %d, CPUs:", task->comm,
		       task->pid);
	bpf_for_each_cpu(cpu, &task->cpus_mask)
		BPF_SEQ_PRINTF(ctx->meta->seq, " %d", cpu);
	BPF_SEQ_PRINTF(ctx->meta->seq, "\n");
	return 0;
}

char _license[] SEC("license") = "GPL";
