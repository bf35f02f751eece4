// SPDX-License-Identifier: GPL-2.0
/*
 * for_each_set_bit(), which is a macro, for bits.rs.
 */
#include <linux/bitmap.h>

/* The declaration in bits.rs must match. */
u64 bpf_percpu_bench_for_each(const unsigned long *words, unsigned int len);

/* The sum of the numbers of the set bits. */
u64 bpf_percpu_bench_for_each(const unsigned long *words, unsigned int len)
{
	unsigned long bit;
	u64 sum = 0;

	for_each_set_bit(bit, words, len)
		sum += bit;
	return sum;
}
