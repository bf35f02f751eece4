// SPDX-License-Identifier: GPL-2.0
/* Atomic operations of both widths, with and without the old value. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct words {
	u64 added, fetched, exchanged, compared, anded, ored, xored;
};

struct halves {
	u32 added, fetched, exchanged, compared, anded, ored, xored;
};

struct words words SEC(".percpu") = { .anded = ~0ULL, .compared = 10 };
struct halves halves SEC(".percpu.halves") = { .anded = ~0U, .compared = 10 };
struct words old SEC(".percpu");
struct halves old_halves SEC(".percpu.halves");
u64 indexed[8] SEC(".percpu");

#define OPERATE(of, old, n)                                                    \
	do {                                                                   \
		__sync_fetch_and_add(&(of)->added, n);                         \
		(old)->fetched = __sync_fetch_and_add(&(of)->fetched, n);      \
		(old)->exchanged =                                             \
			__sync_lock_test_and_set(&(of)->exchanged, n);         \
		(old)->compared =                                              \
			__sync_val_compare_and_swap(&(of)->compared, 10, n);   \
		(old)->anded = __sync_fetch_and_and(&(of)->anded, ~(1U << n)); \
		(old)->ored = __sync_fetch_and_or(&(of)->ored, 1U << n);       \
		(old)->xored = __sync_fetch_and_xor(&(of)->xored, n);          \
	} while (0)

u32 operand;

SEC("tc")
int operate(struct __sk_buff *skb)
{
	u32 n = operand & 31;

	OPERATE(&words, &old, n);
	OPERATE(&halves, &old_halves, n);
	__sync_fetch_and_add(&indexed[n & 7], 1);
	return 0;
}
