// SPDX-License-Identifier: GPL-2.0
/* The per-CPU variables of the kernel's own test. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

/* As struct variables in upstream.rs and load.c: those without a value come last. */
int data SEC(".percpu") = -1;
char set SEC(".percpu") = 'x';
struct {
	char set;
	struct {
		int i;
		short nums[7];
	} inner;
} struct_data SEC(".percpu") = { .inner = { .i = -1, .nums = { 1, 2, 3 } } };
int cpu_id SEC(".percpu");
int nums[7] SEC(".percpu");

/* Not .data.percpu. */
int of_data SEC(".percpu.data") = 0x1234;

/* Longer than a map's name can be. */
u64 of_long SEC(".percpu.looooooooong") = 1;

/* Not per-CPU. */
int run;

SEC("raw_tp")
int update(void *ctx)
{
	cpu_id = bpf_get_smp_processor_id();
	data = 1;
	nums[6] = 0xc0de;
	set = 'y';
	struct_data.set = 1;
	struct_data.inner.i += cpu_id + 1;
	struct_data.inner.nums[6] = -2;
	of_data += 1;
	__sync_fetch_and_add(&of_long, 2);
	__sync_fetch_and_add(&run, 1);
	return 0;
}
