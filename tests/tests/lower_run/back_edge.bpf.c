// SPDX-License-Identifier: GPL-2.0
/*
 * Loops whose back edge leads to the first instruction of the function, which
 * may itself be an access.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 rounds SEC(".percpu");
u64 sum SEC(".percpu.sum") = 40;

/* Adds one to rounds @n times, and @n + .. + 1 to sum. */
static __noinline void to_access(u64 n)
{
	asm volatile("1: r2 = %[rounds] ll;"
		     "r3 = *(u64 *)(r2 + 0);"
		     "r3 += 1;"
		     "*(u64 *)(r2 + 0) = r3;"
		     "r2 = %[sum] ll;"
		     "r3 = *(u64 *)(r2 + 0);"
		     "r3 += %[n];"
		     "*(u64 *)(r2 + 0) = r3;"
		     "%[n] += -1;"
		     "if %[n] != 0 goto 1b;"
		     : [n] "+r"(n)
		     : [rounds] "i"(&rounds), [sum] "i"(&sum)
		     : "r2", "r3", "memory");
}

/* The first instruction changes the loop's counter. */
static __noinline void to_other(u64 n, u64 step)
{
	asm volatile("1: %[n] += -1;"
		     "r4 = %[sum] ll;"
		     "r5 = *(u64 *)(r4 + 0);"
		     "r5 += %[step];"
		     "*(u64 *)(r4 + 0) = r5;"
		     "if %[n] s> 0 goto 1b;"
		     : [n] "+r"(n)
		     : [sum] "i"(&sum), [step] "r"(step)
		     : "r4", "r5", "memory");
}

SEC("tc")
int loop(struct __sk_buff *skb)
{
	u64 rounds_left = 4, loops = 3, step = 1000;

	/* Hides the numbers: else the functions would begin with loading them. */
	barrier_var(rounds_left);
	barrier_var(loops);
	barrier_var(step);
	to_access(rounds_left);
	to_other(loops, step);
	return 0;
}
