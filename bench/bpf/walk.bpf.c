// SPDX-License-Identifier: GPL-2.0
/* Walks of a CPU mask. Each includes its set-up, and adds up the CPU numbers. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "measure.h"

/* The work for each CPU: as little as possible, or enough to check which CPUs came. */
static __always_inline void visit(int cpu, bool check)
{
	if (check)
		result.sum += cpu;
	else
		USE(cpu);
}

static __always_inline void iter_cpumask(const struct cpumask *mask, bool check)
{
	int cpu;

	bpf_for_each_cpu(cpu, mask) visit(cpu, check);
}

static __always_inline void cpumask_next(const struct cpumask *mask, bool check)
{
	int cpu = -1, i;

	/* Each CPU comes at most once. This bounds the loop for the verifier. */
	for (i = 0; i < setup.nr_cpus; i++) {
		cpu = bpf_cpumask_next(cpu, mask);
		if (cpu >= setup.nr_cpus)
			break;
		visit(cpu, check);
	}
}

static __always_inline void iter_bits(const struct cpumask *mask, bool check)
{
	int *cpu;

	bpf_for_each(bits, cpu, (const __u64 *)mask->bits,
		     (setup.nr_cpus + 63) / 64)
		visit(*cpu, check);
}

static __always_inline void for_test_cpu(const struct cpumask *mask, bool check)
{
	int cpu;

	bpf_for(cpu, 0, setup.nr_cpus) if (bpf_cpumask_test_cpu(cpu, mask))
		visit(cpu, check);
}

static __always_inline void empty(const struct cpumask *mask, bool check)
{
	NOTHING;
}

/* Measures walks of a mask, or checks them. */
#define WALK(name, way, check)                                              \
	SEC("syscall")                                                      \
	int name(void *ctx)                                                 \
	{                                                                   \
		struct bpf_cpumask *mask = bpf_cpumask_create();            \
		__u32 cpu;                                                  \
		if (!mask)                                                  \
			return -1;                                          \
		bpf_for(cpu, 0,                                             \
			setup.nr_cpus) if (cpu % setup.step == setup.first) \
			bpf_cpumask_set_cpu(cpu, mask);                     \
		bpf_rcu_read_lock();                                        \
		if (check) {                                                \
			result.sum = 0;                                     \
			way((const struct cpumask *)mask, check);           \
		} else {                                                    \
			MEASURE(way((const struct cpumask *)mask, check));  \
		}                                                           \
		bpf_rcu_read_unlock();                                      \
		bpf_cpumask_release(mask);                                  \
		return 0;                                                   \
	}

#define WALKS(way)                   \
	WALK(walk_##way, way, false) \
	WALK(check_##way, way, true)

WALK(walk_empty, empty, false)
WALKS(iter_cpumask)
WALKS(cpumask_next)
WALKS(iter_bits)
WALKS(for_test_cpu)
