// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define E2BIG 7
#define EAGAIN 11

#define MAX_CPUS 8192
#define MASK_WORDS (MAX_CPUS / 64)

char LICENSE[] SEC("license") = "GPL";

__u64 possible_cpus[MASK_WORDS];
__u64 present_cpus[MASK_WORDS];
__u64 online_cpus[MASK_WORDS];
__u64 active_cpus[MASK_WORDS];
__u64 task_cpus[MASK_WORDS];
__u32 nr_cpu_ids;

/*
 * Only sets bits. If the loop counted CPUs, each iteration would be a new state
 * to the verifier, which would then reject the loop.
 */
static int walk(const struct cpumask *mask, __u64 *words)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, mask) {
		__u32 n = *cpu;

		if (n >= MAX_CPUS)
			return -E2BIG;
		words[n / 64] |= 1ULL << (n % 64);
	}
	return 0;
}

static int walk_all(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	const struct cpumask *allowed = current->cpus_ptr;
	int err;

	/*
	 * A BPF program may not migrate. While such a task is preempted,
	 * cpus_ptr has only its current CPU.
	 */
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

	/* A syscall program may sleep, so it does not run in an RCU section. */
	bpf_rcu_read_lock();
	err = walk_all();
	bpf_rcu_read_unlock();
	return err;
}
