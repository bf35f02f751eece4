// SPDX-License-Identifier: GPL-2.0
/* The license: only GPL-compatible programs may call the kfuncs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Proprietary";

int count SEC(".percpu");

SEC("tc")
int counts(struct __sk_buff *skb)
{
	count += 1;
	return 0;
}
