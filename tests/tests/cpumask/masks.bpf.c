// SPDX-License-Identifier: GPL-2.0
/* Walks over the kernel's masks, and passes them to the kernel's own kfuncs. */
#include "seen.h"

SEC("?syscall")
int masks(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	bpf_rcu_read_lock();
	walk(&seen[0], bpf_get_possible_cpumask());
	walk(&seen[1], bpf_get_present_cpumask());
	walk(&seen[2], bpf_get_online_cpumask());
	walk(&seen[3], bpf_get_active_cpumask());
	walk(&seen[4], task->cpus_ptr);
	bpf_rcu_read_unlock();
	seen[5].steps = bpf_get_nr_cpu_ids();
	return 0;
}

static __always_inline void walk_housekeeping(struct seen *s, u32 type)
{
	const struct cpumask *mask = bpf_get_housekeeping_cpumask(type);

	if (mask)
		walk(s, mask);
	else
		s->strange = 1;
}

SEC("?syscall")
int housekeeping(void *ctx)
{
	bpf_rcu_read_lock();
	walk_housekeeping(&seen[0], HK_TYPE_DOMAIN_BOOT);
	walk_housekeeping(&seen[1], HK_TYPE_DOMAIN);
	walk_housekeeping(&seen[2], HK_TYPE_MANAGED_IRQ);
	walk_housekeeping(&seen[3], HK_TYPE_KERNEL_NOISE);
	walk_housekeeping(&seen[4], HK_TYPE_MAX);
	walk_housekeeping(&seen[5], HK_TYPE_MAX + 1);
	walk_housekeeping(&seen[6], 0x80000000);
	walk_housekeeping(&seen[7], 0xffffffff);
	bpf_rcu_read_unlock();
	return 0;
}

/* No RCU section and no release: the masks of the getters are always valid. */
SEC("?syscall")
int trusted(void *ctx)
{
	const struct cpumask *possible = bpf_get_possible_cpumask();
	const struct cpumask *online = bpf_get_online_cpumask();
	const struct cpumask *domain =
		bpf_get_housekeeping_cpumask(HK_TYPE_DOMAIN);

	seen[0].words[0] = bpf_cpumask_weight(possible);
	seen[0].words[1] = bpf_cpumask_subset(online, possible);
	seen[0].words[2] = bpf_cpumask_test_cpu(0, bpf_get_active_cpumask());
	seen[0].words[3] = bpf_cpumask_first(bpf_get_present_cpumask());
	if (domain)
		seen[0].words[4] = bpf_cpumask_subset(domain, possible);
	return 0;
}
