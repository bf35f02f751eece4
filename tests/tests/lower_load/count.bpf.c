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

/* The last of a section can be made longer. */
const volatile u32 slots = 1;
u64 slot[1] SEC(".percpu.slots") = { 5 };

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
int count_slots(void *ctx)
{
	u32 i;

	for (i = 0; i < slots && i < 1000; i++)
		*(volatile u64 *)&slot[i] += i + 1;
	return 0;
}
