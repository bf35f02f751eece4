// SPDX-License-Identifier: GPL-2.0
/* The kernel's CPU masks, and the CPUs of a mask. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* [bpf_get_possible_cpumask] */
/* The number of slots of a store. */
SEC("syscall")
int copies(void *ctx)
{
	return bpf_cpumask_weight(bpf_get_possible_cpumask());
}
/* [end] */

/* [bpf_get_present_cpumask] */
/* The number of CPUs that are present but not online. */
SEC("syscall")
int unused(void *ctx)
{
	u32 present = bpf_cpumask_weight(bpf_get_present_cpumask());

	return present - bpf_cpumask_weight(bpf_get_online_cpumask());
}
/* [end] */

/* [bpf_get_online_cpumask] */
/* Whether all possible CPUs are online. */
SEC("syscall")
int complete(void *ctx)
{
	return bpf_cpumask_equal(bpf_get_online_cpumask(),
				 bpf_get_possible_cpumask());
}
/* [end] */

/* [bpf_get_active_cpumask] */
/* Whether a CPU is going offline: tasks no longer migrate to it. */
SEC("syscall")
int leaving(void *ctx)
{
	return !bpf_cpumask_equal(bpf_get_active_cpumask(),
				  bpf_get_online_cpumask());
}
/* [end] */

/* [bpf_get_housekeeping_cpumask] */
/* Whether the scheduler leaves this CPU alone (isolcpus=, cpusets). */
SEC("syscall")
int isolated(void *ctx)
{
	u32 type = bpf_core_enum_value(enum hk_type, HK_TYPE_DOMAIN);
	const struct cpumask *mask = bpf_get_housekeeping_cpumask(type);

	return mask && !bpf_cpumask_test_cpu(bpf_get_smp_processor_id(), mask);
}
/* [end] */

/* [bpf_cpumask_next] */
/* The next online CPU after this one; after the last CPU, the first. */
SEC("syscall")
int next_online(void *ctx)
{
	const struct cpumask *online = bpf_get_online_cpumask();
	int cpu = bpf_cpumask_next(bpf_get_smp_processor_id(), online);

	if (cpu == bpf_get_nr_cpu_ids())
		cpu = bpf_cpumask_next(-1, online);
	return cpu;
}
/* [end] */

/* [bpf_for_each_cpu] */
/* The number of even-numbered CPUs that the task may use. */
SEC("syscall")
int even(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int cpu, count = 0;

	bpf_rcu_read_lock();
	bpf_for_each_cpu(cpu, task->cpus_ptr) count += cpu % 2 == 0;
	bpf_rcu_read_unlock();
	return count;
}
/* [end] */

/* [bpf_iter_cpumask] */
/* The second CPU that the task may use, or -1. */
SEC("syscall")
int second(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_iter_cpumask it;
	int *cpu, number = -1;

	bpf_rcu_read_lock();
	bpf_iter_cpumask_new(&it, task->cpus_ptr);
	cpu = bpf_iter_cpumask_next(&it);
	if (cpu)
		cpu = bpf_iter_cpumask_next(&it);
	if (cpu)
		number = *cpu;
	bpf_iter_cpumask_destroy(&it);
	bpf_rcu_read_unlock();
	return number;
}
/* [end] */
