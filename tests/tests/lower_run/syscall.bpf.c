// SPDX-License-Identifier: GPL-2.0
/* SYSCALL programs, which read and write their context. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct asked {
	u64 add;
	u64 index;
	u64 was;
	u32 cpu;
	u32 size;
};

u64 values[5] SEC(".percpu") = { 1, 2, 3, 4, 5 };
u64 requests SEC(".percpu.requests");

SEC("syscall")
int answer(struct asked *asked)
{
	u64 index = asked->index;

	requests++;
	if (index >= 5)
		return 7;
	asked->was = values[index];
	values[index] += asked->add;
	asked->cpu = bpf_get_smp_processor_id();
	asked->size = sizeof(values);
	return 0;
}

/* A second program of this type. */
SEC("syscall")
int forget(void *ctx)
{
	__builtin_memset(values, 0, sizeof(values));
	return 0;
}
