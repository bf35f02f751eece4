// SPDX-License-Identifier: GPL-2.0
/* Functions that leave 8 bytes of the stack free. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define WORDS 63

u64 runs SEC(".percpu");
u64 sum SEC(".percpu");

/* Only @mine is on the stack. */
#define FILL(mine, first)                                \
	do {                                             \
		int i;                                   \
		for (i = 0; i < WORDS; i++)              \
			mine[i] = (first) + i;           \
		asm volatile("" ::"r"(mine) : "memory"); \
	} while (0)

SEC("tc")
int all_of_it(struct __sk_buff *skb)
{
	volatile u64 mine[WORDS];

	FILL(mine, 1);
	runs++;
	sum += mine[0] + mine[WORDS - 1];
	return 0;
}

static __noinline u64 deep(u64 a, u64 b, u64 c, u64 d, u64 e)
{
	volatile u64 mine[WORDS];

	FILL(mine, a);
	runs += 100;
	sum += mine[0] + mine[WORDS - 1];
	return a + b + c + d + e;
}

/* Uses no stack. */
SEC("tc")
int by_subprogram(struct __sk_buff *skb)
{
	return deep(skb->len, 1, 2, 3, 4) & 0xffff;
}
