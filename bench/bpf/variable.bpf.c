// SPDX-License-Identifier: GPL-2.0
/* Counters in a per-CPU variable, as SEC(".percpu") declares them from 7.3 on. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "measure.h"
#include "counters.h"

/* The loader loads it natively, and lowered. */
struct counters variables SEC(".percpu");

#define WITH_VARIABLE(name, op)         \
	SEC("tc")                       \
	int name(struct __sk_buff *ctx) \
	{                               \
		MEASURE(op);            \
		return 0;               \
	}

WITH_VARIABLE(variable, variables.v[0] += 1)
WITH_VARIABLE(variable_lock, __sync_fetch_and_add(&variables.v[0], 1))
WITH_VARIABLE(variable_add_return,
	      USE(__sync_fetch_and_add(&variables.v[0], 1) + 1))
WITH_VARIABLE(variable_xchg, USE(__sync_lock_test_and_set(&variables.v[0], 1)))
WITH_VARIABLE(variable_cmpxchg,
	      USE(__sync_val_compare_and_swap(&variables.v[0], 0, 0)))

/* Programs that add once to each of some counters. The kernel measures the time. */

#define PLAIN(i) variables.v[i] += 1
#define LOCK(i) __sync_fetch_and_add(&variables.v[i], 1)

#define PROGRAMS(n)                                      \
	SEC("tc")                                        \
	int run_variable_##n(struct __sk_buff *ctx)      \
	{                                                \
		EACH_##n(PLAIN);                         \
		return 0;                                \
	}                                                \
	SEC("tc")                                        \
	int run_variable_lock_##n(struct __sk_buff *ctx) \
	{                                                \
		EACH_##n(LOCK);                          \
		return 0;                                \
	}

PROGRAMS(1)
PROGRAMS(4)
PROGRAMS(16)
