// SPDX-License-Identifier: GPL-2.0
/* samples/cpumask_walk with its results in variables: the masks as each CPU sees them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define E2BIG 7
#define EAGAIN 11

#define MAX_CPUS 2048
#define MASK_WORDS (MAX_CPUS / 64)

char LICENSE[] SEC("license") = "GPL";

u64 possible_cpus[MASK_WORDS] SEC(".percpu.cpumask_walk");
u64 present_cpus[MASK_WORDS] SEC(".percpu.cpumask_walk");
u64 online_cpus[MASK_WORDS] SEC(".percpu.cpumask_walk");
u64 active_cpus[MASK_WORDS] SEC(".percpu.cpumask_walk");
u64 task_cpus[MASK_WORDS] SEC(".percpu.cpumask_walk");
u32 nr_cpu_ids SEC(".percpu.cpumask_walk");
u64 steps SEC(".percpu");

static int walk(const struct cpumask *mask, u64 *words)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, mask) {
		u32 n = *cpu;

		if (n >= MAX_CPUS)
			return -E2BIG;
		words[n / 64] |= 1ULL << (n % 64);
		steps++;
	}
	return 0;
}

static int walk_all(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	const struct cpumask *allowed = current->cpus_ptr;
	int err;

	/* The task was preempted: cpus_ptr has only its CPU. */
	if (allowed != &current->cpus_mask)
		return -EAGAIN;

	err = walk(bpf_get_possible_cpumask(), possible_cpus);
	err = err ?: walk(bpf_get_present_cpumask(), present_cpus);
	err = err ?: walk(bpf_get_online_cpumask(), online_cpus);
	err = err ?: walk(bpf_get_active_cpumask(), active_cpus);
	return err ?: walk(allowed, task_cpus);
}

SEC("syscall")
int cpumask_walk(void *ctx)
{
	int err;

	nr_cpu_ids = bpf_get_nr_cpu_ids();
	bpf_rcu_read_lock();
	err = walk_all();
	bpf_rcu_read_unlock();
	return err;
}
