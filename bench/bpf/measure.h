/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that measure themselves, and write the time to @result. */
#ifndef MEASURE_H
#define MEASURE_H

/* As in bench/src/guest/program.rs. */
#define ROUNDS 1000

const volatile struct {
	__u32 id; /* of a store */
	__u32 nr_cpus; /* nr_cpu_ids, as a constant for the verifier */
	__u32 first, step; /* CPUs of the mask: every @step-th from @first */
} setup;

struct {
	__u64 took; /* ns */
	__u64 sum; /* of the values in the last round */
} result;

/* Makes the compiler compute @value. */
#define USE(value) asm volatile("" : : "r"(value))

/*
 * The body of the loop whose cost is subtracted: one instruction. The compiler
 * generates a loop without a body differently, with one jump less.
 */
#define NOTHING asm volatile("r0 = 0" : : : "r0")

/* The loop of a measurement. */
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
