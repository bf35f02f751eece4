// SPDX-License-Identifier: GPL-2.0
/* Counts on each CPU, starting from values that the loader has set. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

enum kind {
	KIND_NONE,
	KIND_COUNT,
};

struct entry {
	__u8 cpu;
	__s64 sum;
	enum kind kind;
	__u32 low : 4;
	__s32 high : 12;
};

int data SEC(".percpu") = 1;
static struct entry entries[2] SEC(".percpu.stats") = { { .sum = 10 } };

const volatile __u32 step = 1;
__u64 runs;
__u32 factor = 1;

SEC("syscall")
int count(void *ctx)
{
	struct entry *entry = &entries[1];

	data += step;
	entry->cpu = bpf_get_smp_processor_id();
	entry->sum += data * (__s64)factor;
	entry->kind = KIND_COUNT;
	entry->low = 5;
	entry->high -= 3;
	runs += 1;
	return data;
}
