// SPDX-License-Identifier: GPL-2.0
/* The iterator and bpf_cpumask_next() on masks that the test builds. */
#include "seen.h"

struct {
	u64 words[MAX_CPUS / 64];
	s32 pid;
} input SEC(".data");

/* The verifier takes any memory of a cpumask's size for one, with any alignment. */
struct memory {
	u8 first;
	u8 mask[sizeof(struct cpumask)];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct memory);
} memory SEC(".maps");

static __always_inline struct bpf_cpumask *input_mask(void)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	u32 cpu;

	if (mask)
		bpf_for(cpu, 0, MAX_CPUS) if (input.words[cpu / 64] &
					      (1ULL << (cpu % 64)))
			bpf_cpumask_set_cpu(cpu, mask);
	return mask;
}

SEC("?syscall")
int made(void *ctx)
{
	struct bpf_cpumask *mask = input_mask();

	if (!mask)
		return 1;
	bpf_rcu_read_lock();
	walk(&seen[0], (const struct cpumask *)mask);
	bpf_rcu_read_unlock();
	bpf_cpumask_release(mask);
	return 0;
}

SEC("?syscall")
int made_next(void *ctx)
{
	struct bpf_cpumask *mask = input_mask();
	int cpu = -1, i;

	if (!mask)
		return 1;
	bpf_for(i, 0, MAX_CPUS)
	{
		cpu = bpf_cpumask_next(cpu, (const struct cpumask *)mask);
		if (cpu >= (int)bpf_get_nr_cpu_ids())
			break;
		see(&seen[0], cpu);
	}
	bpf_cpumask_release(mask);
	return 0;
}

/* setall() fills whole words, also bits past nr_cpu_ids: seen[1] shows them. */
SEC("?syscall")
int past_the_end(void *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	int cpu = -1, i;

	if (!mask)
		return 1;
	bpf_cpumask_setall(mask);
	bpf_probe_read_kernel(seen[1].words, sizeof(seen[1].words), mask);
	bpf_rcu_read_lock();
	walk(&seen[0], (const struct cpumask *)mask);
	bpf_rcu_read_unlock();
	bpf_for(i, 0, MAX_CPUS)
	{
		cpu = bpf_cpumask_next(cpu, (const struct cpumask *)mask);
		if (cpu >= (int)bpf_get_nr_cpu_ids())
			break;
		see(&seen[2], cpu);
	}
	bpf_cpumask_release(mask);
	return 0;
}

SEC("?syscall")
int from_memory(void *ctx)
{
	const struct cpumask *mask;
	struct memory *value;
	int cpu = -1, i;
	u32 key = 0;

	value = bpf_map_lookup_elem(&memory, &key);
	if (!value)
		return 1;
	/* Every third CPU, after a byte that must be ignored. */
	bpf_for(i, 0, sizeof(value->mask)) value->mask[i] = i % 3 == 0 ? 0x49 :
							    i % 3 == 1 ? 0x92 :
									 0x24;
	value->first = 0xff;
	mask = (const struct cpumask *)value->mask;
	bpf_rcu_read_lock();
	walk(&seen[0], mask);
	bpf_rcu_read_unlock();
	bpf_for(i, 0, MAX_CPUS)
	{
		cpu = bpf_cpumask_next(cpu, mask);
		if (cpu >= (int)bpf_get_nr_cpu_ids())
			break;
		see(&seen[1], cpu);
	}
	return 0;
}

SEC("?syscall")
int nested(void *ctx)
{
	int *outer, *inner;

	bpf_rcu_read_lock();
	bpf_for_each(cpumask, outer, bpf_get_possible_cpumask()) {
		see(&seen[0], *outer);
		seen[1].next = 0;
		bpf_for_each(cpumask, inner, bpf_get_possible_cpumask())
			see(&seen[1], *inner);
	}
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?syscall")
int early_break(void *ctx)
{
	int *cpu;

	bpf_rcu_read_lock();
	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		see(&seen[0], *cpu);
		break;
	}
	walk(&seen[1], bpf_get_possible_cpumask());
	bpf_rcu_read_unlock();
	return 0;
}

/* CPUs are added after the end: seen[1] has what the walk returned then. */
SEC("?syscall")
int after_the_end(void *ctx)
{
	struct bpf_cpumask *mask = input_mask();
	struct bpf_iter_cpumask it;
	int *cpu, i;

	if (!mask)
		return 1;
	bpf_rcu_read_lock();
	bpf_iter_cpumask_new(&it, (const struct cpumask *)mask);
	while ((cpu = bpf_iter_cpumask_next(&it)))
		see(&seen[0], *cpu);
	bpf_cpumask_setall(mask);
	bpf_for(i, 0, 100) if (bpf_iter_cpumask_next(&it)) seen[1].steps++;
	bpf_iter_cpumask_destroy(&it);
	/* The control: a new walk sees them. */
	walk(&seen[2], (const struct cpumask *)mask);
	bpf_rcu_read_unlock();
	bpf_cpumask_release(mask);
	return 0;
}

SEC("?syscall")
int next_bad(void *ctx)
{
	const struct cpumask *possible = bpf_get_possible_cpumask();
	int nr = bpf_get_nr_cpu_ids();

	seen[0].words[0] = bpf_cpumask_next(-2, possible);
	seen[0].words[1] = bpf_cpumask_next(-2147483648, possible);
	seen[0].words[2] = bpf_cpumask_next(nr - 1, possible);
	seen[0].words[3] = bpf_cpumask_next(nr, possible);
	seen[0].words[4] = bpf_cpumask_next(2147483647, possible);
	seen[0].words[5] = bpf_cpumask_next(-1, possible);
	seen[0].words[6] = nr;
	return 0;
}

SEC("?syscall")
int of_task(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(input.pid);

	if (!task)
		return 1;
	bpf_rcu_read_lock();
	walk(&seen[0], task->cpus_ptr);
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return 0;
}
