// SPDX-License-Identifier: GPL-2.0
/* Weak and hidden functions. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 weak_calls SEC(".percpu");
u64 hidden_calls SEC(".percpu.hidden");
u64 hidden_variable SEC(".percpu") __hidden = 4;
u64 weak_variable SEC(".percpu") __weak = 8;

__weak __noinline int weak_function(int n)
{
	weak_calls += n;
	weak_variable *= 2;
	return n + 1;
}

/* Hidden functions are static to the verifier, so it knows the pointer. */
__hidden __noinline int hidden_function(u64 *counter, int n)
{
	hidden_calls += n;
	*counter += 1;
	return n;
}

SEC("tc")
int call(struct __sk_buff *skb)
{
	return weak_function(3) + hidden_function(&hidden_variable, 5);
}
