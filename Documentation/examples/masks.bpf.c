// SPDX-License-Identifier: GPL-2.0
/* How to use the kernel's masks. Results are in .bss. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* The first 64 CPUs, as bits. */
u64 offline, housekeeping, allowed;

static __always_inline u64 bit(int cpu)
{
	return cpu < 64 ? 1ULL << cpu : 0;
}

/* [getters] */
static __always_inline bool is_online(int cpu)
{
	return bpf_cpumask_test_cpu(cpu, bpf_get_online_cpumask());
}

SEC("raw_tp/sys_enter")
int find_offline(void *ctx)
{
	int cpu;

	bpf_for_each_cpu(cpu, bpf_get_present_cpumask())
		offline |= is_online(cpu) ? 0 : bit(cpu);
	return 0;
}
/* [getters end] */

/* [housekeeping] */
SEC("raw_tp/sys_enter")
int find_housekeeping(void *ctx)
{
	const struct cpumask *mask;
	int *cpu;

	mask = bpf_get_housekeeping_cpumask(HK_TYPE_DOMAIN);
	if (!mask)
		return 0;
	bpf_for_each(cpumask, cpu, mask)
		housekeeping |= bit(*cpu);
	return 0;
}
/* [housekeeping end] */

/* [next] */
int turn = -1;

/* Each run returns the next CPU. */
SEC("raw_tp/sys_enter")
int take_turns(void *ctx)
{
	const struct cpumask *mask = bpf_get_online_cpumask();

	turn = bpf_cpumask_next(turn, mask);
	if (turn >= bpf_get_nr_cpu_ids())
		turn = bpf_cpumask_next(-1, mask);
	return turn;
}
/* [next end] */

/* [sleepable] */
SEC("syscall")
int in_a_sleepable_program(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int *cpu;

	bpf_rcu_read_lock();
	bpf_for_each(cpumask, cpu, &task->cpus_mask)
		allowed |= bit(*cpu);
	bpf_rcu_read_unlock();
	return 0;
}
/* [sleepable end] */
