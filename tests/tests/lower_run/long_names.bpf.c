// SPDX-License-Identifier: GPL-2.0
/* Sections whose names are longer than a map's can be, and begin alike. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 of_first SEC(".percpu.the_counters_of_the_first_program") = 5;
u64 of_second SEC(".percpu.the_counters_of_the_second_program") = 6;
u64 short_name SEC(".percpu.s");
u64 dotted SEC(".percpu.with.dots.in-it") = 7;

SEC("tc")
int count(struct __sk_buff *skb)
{
	of_first += 1;
	of_second += 2;
	short_name += 3;
	dotted += 4;
	return 0;
}
