// SPDX-License-Identifier: GPL-2.0
/* Open-coded iterators: of numbers, which nest, and of CPUs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

u64 steps SEC(".percpu");
u64 cells[4][8] SEC(".percpu");
u64 repeats SEC(".percpu.more");
u64 cpus_seen[128] SEC(".percpu.more");

static __noinline void fill(u32 rows)
{
	u32 row, column;

	bpf_for(row, 0, rows)
	{
		bpf_for(column, 0, 8)
		{
			if (row >= 4 || column >= 8)
				break;
			cells[row][column] += row * 10 + column;
			steps++;
		}
	}
}

SEC("tc")
int iterate(struct __sk_buff *skb)
{
	int *cpu;

	fill(4);
	bpf_repeat(5)
	{
		repeats += 1;
		if (repeats % 4 == 0)
			break;
	}
	bpf_rcu_read_lock();
	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		u32 n = *cpu;

		if (n >= 64 * 128)
			break;
		cpus_seen[n / 64] |= 1ULL << (n % 64);
	}
	bpf_rcu_read_unlock();
	return 0;
}
