// SPDX-License-Identifier: GPL-2.0
/* Several programs in one section, one of them without variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 first_runs SEC(".percpu");
u64 third_runs SEC(".percpu");
u64 total;

SEC("tc")
int first(struct __sk_buff *skb)
{
	first_runs++;
	return 1;
}

SEC("tc")
int second(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&total, 1);
	return 2;
}

SEC("tc")
int third(struct __sk_buff *skb)
{
	third_runs += first_runs + 1;
	__sync_fetch_and_add(&total, 1);
	return 3;
}
