// SPDX-License-Identifier: GPL-2.0
/* Functions that get the address of a variable. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct pair {
	u64 a;
	u32 b;
};

int number SEC(".percpu") = -20;
struct pair pair SEC(".percpu") = { .a = 4, .b = 5 };
u64 nulls SEC(".percpu.nulls");

__noinline int add_to(int *p, int n)
{
	if (!p) {
		nulls++;
		return 0;
	}
	*p += n;
	return *p;
}

__noinline int swap(struct pair *p __arg_nonnull)
{
	u64 a = p->a;

	p->a = p->b;
	p->b = a;
	return a;
}

/* Into a static function the verifier follows the pointer. */
static __noinline void twice(u64 *p, int *q)
{
	*p *= 2;
	*q *= 2;
	add_to(q, nulls);
}

SEC("tc")
int call(struct __sk_buff *skb)
{
	int *none = NULL;

	add_to(&number, 7);
	barrier_var(none);
	add_to(none, 1);
	swap(&pair);
	twice(&pair.a, &number);
	return 0;
}
