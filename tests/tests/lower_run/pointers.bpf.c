// SPDX-License-Identifier: GPL-2.0
/* Pointers that walk over arrays in both directions, and are compared. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define VALUES 16

u64 values[VALUES] SEC(".percpu");
u32 backwards[VALUES] SEC(".percpu.other");
u64 sum SEC(".percpu");
u64 distance SEC(".percpu");

SEC("tc")
int walk(struct __sk_buff *skb)
{
	u64 *value, *last = values;
	u32 *other, n = 0;

#pragma clang loop unroll(disable)
	for (value = values; value < values + VALUES; value++) {
		*value += ++n;
		barrier_var(n);
	}
	sum = 0;
#pragma clang loop unroll(disable)
	for (value = values; value != values + VALUES; value++) {
		sum += *value;
		if (*value > *last)
			last = value;
	}
	distance = last - values;
#pragma clang loop unroll(disable)
	for (n = 0, other = backwards + VALUES - 1; n < 5; n++, other -= 3)
		*other += n + 1;
	return 0;
}
