// SPDX-License-Identifier: GPL-2.0
/* bpf_for_each_cpu(), and each way to leave the loop. */
#include "seen.h"

/* clang-format does not know that the macro is a loop. */
/* clang-format off */

static int returns(struct seen *s)
{
	int cpu;

	bpf_for_each_cpu(cpu, bpf_get_possible_cpumask()) {
		see(s, cpu);
		if (cpu == 1)
			return 1;
	}
	return 0;
}

/* A walk for each way to leave the loop, and for each kind of variable. */
SEC("?syscall")
int loops(void *ctx)
{
	const struct cpumask *mask = bpf_get_possible_cpumask();
	u32 unsigned_cpu;
	int *pointer;
	int cpu, inner;
	int ret;

	bpf_rcu_read_lock();
	bpf_for_each_cpu(cpu, mask) see(&seen[0], cpu);
	bpf_for_each_cpu(unsigned_cpu, mask) see(&seen[1], unsigned_cpu);
	bpf_for_each_cpu(pointer, mask) see(&seen[2], *pointer);
	bpf_for_each_cpu(cpu, mask) {
		if (cpu == 2)
			break;
		see(&seen[3], cpu);
	}
	bpf_for_each_cpu(cpu, mask) {
		if (cpu == 2)
			continue;
		see(&seen[4], cpu);
	}
	bpf_for_each_cpu(cpu, mask) {
		if (cpu == 3)
			goto out;
		see(&seen[5], cpu);
	}
out:
	ret = returns(&seen[6]);
	bpf_for_each_cpu(cpu, mask) {
		bpf_for_each_cpu(inner, mask) {
			if (inner == cpu)
				break;
		}
		see(&seen[7], cpu);
	}
	bpf_rcu_read_unlock();
	return ret == 1 ? 0 : 1;
}
