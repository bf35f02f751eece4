// SPDX-License-Identifier: GPL-2.0
/* Static variables only: the section has no global symbol. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

static u64 runs SEC(".percpu");
static u32 table[6] SEC(".percpu") = { 10, 20, 30, 40, 50, 60 };
static s64 far SEC(".percpu.far") = -3;
static u8 last SEC(".percpu.far") = 200;

u64 wanted;

static __noinline u32 *element(u32 i)
{
	/* A separate function, whose relocation is against the section's symbol. */
	return &table[i < 6 ? i : 0];
}

SEC("tc")
int count(struct __sk_buff *skb)
{
	static u64 inside SEC(".percpu.far") = 77;

	runs++;
	table[5] += runs;
	*element(wanted) += 1;
	far -= 2;
	last++;
	inside += far;
	return inside & 1;
}
