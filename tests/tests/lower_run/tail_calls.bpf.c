// SPDX-License-Identifier: GPL-2.0
/* Tail calls between programs that use variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

int even(struct __sk_buff *skb);
int odd(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, sizeof(u32));
	__array(values, int(struct __sk_buff *));
} next SEC(".maps") = {
	.values = {
		[0] = (void *)&even,
		[1] = (void *)&odd,
	},
};

u64 entered SEC(".percpu");
u64 handed SEC(".percpu");
u64 evens SEC(".percpu.handlers");
u64 odds SEC(".percpu.handlers");
u64 missed SEC(".percpu");

SEC("tc")
int enter(struct __sk_buff *skb)
{
	entered++;
	handed = entered * 3;
	/* The third entry has no program. */
	bpf_tail_call(skb, &next, entered % 3);
	missed++;
	return 2;
}

SEC("tc")
int even(struct __sk_buff *skb)
{
	evens += handed;
	handed = 0;
	return 0;
}

static __noinline void count_odd(u64 n)
{
	odds += n;
}

SEC("tc")
int odd(struct __sk_buff *skb)
{
	count_odd(handed);
	handed = 1;
	/* Continues in the next program. */
	bpf_tail_call(skb, &next, 0);
	return 1;
}
