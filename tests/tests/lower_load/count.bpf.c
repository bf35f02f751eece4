// SPDX-License-Identifier: GPL-2.0
/* Counters in per-CPU variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

u64 count SEC(".percpu");

struct {
	u64 events, zero;
} wide SEC(".percpu.wide") = { .events = 100 };

/* The last array of a section can be enlarged. */
const volatile u32 length = 1;
u64 array[1] SEC(".percpu.array") = { 5 };

SEC("syscall")
int count_up(void *ctx)
{
	count += 1;
	return 0;
}

SEC("raw_tp/sys_enter")
int on_enter(void *ctx)
{
	wide.events += 1;
	return 0;
}

SEC("syscall")
int count_array(void *ctx)
{
	u32 i;

	for (i = 0; i < length && i < 1000; i++)
		*(volatile u64 *)&array[i] += i + 1;
	return 0;
}
