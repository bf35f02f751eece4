// SPDX-License-Identifier: GPL-2.0
/* A function with just enough stack left. */
#include "snippet.h"

u64 count SEC(".percpu.stack");

SEC("tc")
int leaves_a_word(struct __sk_buff *skb)
{
	char all[504];

	bpf_get_current_comm(all, sizeof(all));
	count += all[7];
	return 0;
}
