// SPDX-License-Identifier: GPL-2.0
/* Counters in a PERCPU_ARRAY. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "measure.h"
#include "counters.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} keys SEC(".maps");

static __always_inline __u64 *counter(__u32 key)
{
	return bpf_map_lookup_elem(&keys, &key);
}

/* Measures a lookup of a counter @v, and @op on it. */
#define WITH_LOOKUP(name, op)                  \
	SEC("tc")                              \
	int name(struct __sk_buff *ctx)        \
	{                                      \
		MEASURE({                      \
			__u64 *v = counter(0); \
			if (v)                 \
				op;            \
		});                            \
		return 0;                      \
	}

WITH_LOOKUP(array, *v += 1)
WITH_LOOKUP(array_lock, __sync_fetch_and_add(v, 1))
WITH_LOOKUP(array_add_return, USE(__sync_fetch_and_add(v, 1) + 1))
WITH_LOOKUP(array_xchg, USE(__sync_lock_test_and_set(v, 1)))
WITH_LOOKUP(array_cmpxchg, USE(__sync_val_compare_and_swap(v, 0, 0)))

SEC("tc")
int lookup(struct __sk_buff *ctx)
{
	MEASURE(USE(counter(0)));
	return 0;
}

/* Programs that add once to each of some counters. The kernel measures the time. */

#define PLAIN(i) c->v[i] += 1
#define LOCK(i) __sync_fetch_and_add(&c->v[i], 1)
#define KEY(i)                         \
	do {                           \
		__u64 *v = counter(i); \
		if (v)                 \
			*v += 1;       \
	} while (0)

#define WITH_COUNTERS(name, each)                                          \
	SEC("tc")                                                          \
	int name(struct __sk_buff *ctx)                                    \
	{                                                                  \
		__u32 key = 0;                                             \
		struct counters *c = bpf_map_lookup_elem(&counters, &key); \
		if (!c)                                                    \
			return -1;                                         \
		each;                                                      \
		return 0;                                                  \
	}

#define PROGRAMS(n)                                       \
	WITH_COUNTERS(run_array_##n, EACH_##n(PLAIN))     \
	WITH_COUNTERS(run_array_lock_##n, EACH_##n(LOCK)) \
	SEC("tc")                                         \
	int run_array_keys_##n(struct __sk_buff *ctx)     \
	{                                                 \
		EACH_##n(KEY);                            \
		return 0;                                 \
	}

PROGRAMS(1)
PROGRAMS(4)
PROGRAMS(16)
