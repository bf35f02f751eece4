// SPDX-License-Identifier: GPL-2.0
/* Shows the anonymous memory of each process, exact to the page. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

static __always_inline s32 counted_on(struct percpu_counter *counter, int cpu)
{
	void *there = bpf_percpu_ptr(counter->counters, cpu);
	s32 counted;

	if (bpf_probe_read_kernel(&counted, sizeof(counted), there))
		return 0;
	return counted;
}

SEC("iter/task")
int rss(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct percpu_counter *counter;
	s64 pages;
	int cpu;

	if (!task || !task->mm || task->pid != task->tgid)
		return 0;
	counter = &task->mm->rss_stat[MM_ANONPAGES];
	pages = counter->count;
	bpf_for_each_cpu(cpu, bpf_get_possible_cpumask())
		pages += counted_on(counter, cpu);
	BPF_SEQ_PRINTF(ctx->meta->seq, "%s, process %d: %lld pages\n",
		       task->comm, task->pid, pages);
	return 0;
}

char _license[] SEC("license") = "GPL";
