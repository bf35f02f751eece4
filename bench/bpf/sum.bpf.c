// SPDX-License-Identifier: GPL-2.0
/* Sums over the possible CPUs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "measure.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

static __always_inline void lookup(void)
{
	__u32 key = 0, cpu;
	__u64 *v;

	bpf_for(cpu, 0, setup.nr_cpus)
	{
		v = bpf_map_lookup_percpu_elem(&array, &key, cpu);
		if (v)
			result.sum += *v;
	}
}

SEC("syscall")
int sum_empty(void *ctx)
{
	MEASURE({
		result.sum = 0;
		NOTHING;
	});
	return 0;
}

SEC("syscall")
int sum_lookup(void *ctx)
{
	MEASURE({
		result.sum = 0;
		lookup();
	});
	return 0;
}

SEC("syscall")
int sum_sum(void *ctx)
{
	struct bpf_percpu_store *s;
	__u64 sum;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(setup.id);
	if (s)
		MEASURE({
			bpf_percpu_sum_u64(s, 0, bpf_get_possible_cpumask(),
					   &sum);
			result.sum = sum;
		});
	bpf_rcu_read_unlock();
	return s ? 0 : -1;
}
