// SPDX-License-Identifier: GPL-2.0
/* A function that has stack left for the address of one section, but not for two. */
#include "snippet.h"

u64 count SEC(".percpu.first");
u64 other SEC(".percpu.second");

static __noinline int fill(void)
{
	char all[504];

	bpf_get_current_comm(all, sizeof(all));
	count += all[7];
	other += all[8];
	return 0;
}

SEC("tc")
int uses_all_of_it(struct __sk_buff *skb)
{
	return fill();
}
