// SPDX-License-Identifier: GPL-2.0
/* samples/nmi_count with its counters in variables: threads and samples add to the same ones. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* Never reached: a program that gave up would look like a loss. */
#define LIMIT 0x4000000000000000ULL

/* An interruption fails a try, but never this many in a row. */
#define TRIES 64

#define ADDS 1000

struct counts {
	u64 on_view;
	u64 up_to_limit;
	u64 locked;
	/* The adds of each context. */
	u64 of_threads;
	u64 of_samples;
};

char LICENSE[] SEC("license") = "GPL";

struct counts counts SEC(".percpu.nmi_count");

/* The number of samples: a locked add to a number that CPUs share. */
u64 samples;

static __always_inline void add_up_to_limit(u64 *counter)
{
	u64 old;
	int i;

#pragma clang loop unroll(disable)
	for (i = 0; i < TRIES; i++) {
		old = *(volatile u64 *)counter;
		if (old >= LIMIT)
			return;
		if (bpf_percpu_view_cmpxchg_u64(counter, old, old + 1) == old)
			return;
	}
}

static __noinline void add_once(void)
{
	bpf_percpu_view_add_u64(&counts.on_view, 1);
	__sync_fetch_and_add(&counts.locked, 1);
	add_up_to_limit(&counts.up_to_limit);
}

SEC("syscall")
int add_in_task(void *ctx)
{
	int i;

	bpf_for(i, 0, ADDS)
	{
		add_once();
		bpf_percpu_view_add_u64(&counts.of_threads, 1);
	}
	return 0;
}

SEC("perf_event")
int add_in_sample(void *ctx)
{
	__sync_fetch_and_add(&samples, 1);
	add_once();
	bpf_percpu_view_add_u64(&counts.of_samples, 1);
	return 0;
}
