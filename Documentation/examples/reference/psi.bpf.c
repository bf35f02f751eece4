// SPDX-License-Identifier: GPL-2.0
/* Per-CPU data of the kernel. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* [bpf_cgroup_psi_cpu] */
/* How many tasks of the caller's cgroup run, or wait for a CPU. */
SEC("syscall")
int runnable(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tasks = 0;
	int *cpu;

	bpf_rcu_read_lock();
	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		const struct psi_group_cpu *psi;

		psi = bpf_cgroup_psi_cpu(task->cgroups->dfl_cgrp, *cpu);
		if (psi)
			tasks += psi->tasks[NR_RUNNING];
	}
	bpf_rcu_read_unlock();
	return tasks;
}
/* [end] */

/* [bpf_percpu_ptr] */
/*
 * The number of anonymous pages of the process. Each CPU has its own counter,
 * and adds it to rss_stat[].count only from time to time.
 */
SEC("syscall")
int anonymous_pages(void *ctx)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	const s32 *counters;
	s64 pages;
	int *cpu;

	if (!mm)
		return -1;
	pages = mm->rss_stat[MM_ANONPAGES].count;
	counters = mm->rss_stat[MM_ANONPAGES].counters;
	bpf_rcu_read_lock();
	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		s32 here = 0;

		bpf_probe_read_kernel(&here, sizeof(here),
				      bpf_percpu_ptr(counters, *cpu));
		pages += here;
	}
	bpf_rcu_read_unlock();
	return pages;
}
/* [end] */
