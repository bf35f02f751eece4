/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that measure what they do, each with the time that it took in @result. */
#ifndef MEASURE_H
#define MEASURE_H

/* As bench/src/guest/program.rs has them. */
#define ROUNDS 1000

const volatile struct {
	__u32 id; /* of a store */
	__u32 nr_cpus; /* what nr_cpu_ids is, for the verifier to know */
	__u32 first, step; /* CPUs of the mask: each @step-th from @first on */
} setup;

struct {
	__u64 took; /* ns */
	__u64 sum; /* of what the last round has seen */
} result;

/* Has @value computed. */
#define USE(value) asm volatile("" : : "r"(value))

/*
 * The body of the loop that is taken off: one instruction. Of an empty one the
 * compiler makes another loop, with a jump less, than of those with a body.
 */
#define NOTHING asm volatile("r0 = 0" : : : "r0")

/* The loop of a program that measures. */
#define MEASURE(body)                                        \
	do {                                                 \
		__u64 ___start = bpf_ktime_get_ns();         \
		int ___i;                                    \
		bpf_for(___i, 0, ROUNDS)                     \
		{                                            \
			body;                                \
		}                                            \
		result.took = bpf_ktime_get_ns() - ___start; \
	} while (0)

char LICENSE[] SEC("license") = "GPL";

#endif
