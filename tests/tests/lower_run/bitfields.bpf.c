// SPDX-License-Identifier: GPL-2.0
/* A struct with bit fields. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct flags {
	u32 low : 3;
	u32 middle : 10;
	s32 below : 5;
	u32 high : 14;
	u64 wide : 40;
	u64 rest : 24;
	bool on : 1;
};

struct flags flags SEC(".percpu") = {
	.low = 5,
	.middle = 1000,
	.below = -4,
	.high = 0x3000,
	.wide = 1ULL << 39,
};

/* Copies of the bit fields, for user space. */
u64 seen[7] SEC(".percpu");

SEC("tc")
int change(struct __sk_buff *skb)
{
	flags.low += 2;
	flags.middle += 20;
	flags.below -= 1;
	flags.wide++;
	flags.rest--;
	flags.on = !flags.on;
	seen[0] = flags.low;
	seen[1] = flags.middle;
	seen[2] = (s64)flags.below;
	seen[3] = flags.high;
	seen[4] = flags.wide;
	seen[5] = flags.rest;
	seen[6] = flags.on;
	return 0;
}
