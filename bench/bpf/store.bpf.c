// SPDX-License-Identifier: GPL-2.0
/* Counters in a store. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "measure.h"
#include "counters.h"

SEC("tc")
int empty(struct __sk_buff *ctx)
{
	MEASURE(NOTHING);
	return 0;
}

/* Measures @body with a handle @s. */
#define WITH_HANDLE(name, body)                                              \
	SEC("tc")                                                            \
	int name(struct __sk_buff *ctx)                                      \
	{                                                                    \
		struct bpf_percpu_store *s = bpf_percpu_store_get(setup.id); \
		if (!s)                                                      \
			return -1;                                           \
		MEASURE(body);                                               \
		return 0;                                                    \
	}

/* Measures @body with a view @v. */
#define WITH_VIEW(name, body)                                                 \
	SEC("tc")                                                             \
	int name(struct __sk_buff *ctx)                                       \
	{                                                                     \
		__u64 *v = (__u64 *)bpf_percpu_data(setup.id, sizeof(__u64)); \
		MEASURE(body);                                                \
		return 0;                                                     \
	}

/* Measures @body with the id. */
#define WITH_ID(name, body)             \
	SEC("tc")                       \
	int name(struct __sk_buff *ctx) \
	{                               \
		__u32 id = setup.id;    \
		MEASURE(body);          \
		return 0;               \
	}

WITH_VIEW(view, *v += 1)
WITH_VIEW(view_add, bpf_percpu_view_add_u64(v, 1))
WITH_VIEW(view_add_return, USE(bpf_percpu_view_add_return_u64(v, 1)))
WITH_VIEW(view_xchg, USE(bpf_percpu_view_xchg_u64(v, 1)))
WITH_VIEW(view_cmpxchg, USE(bpf_percpu_view_cmpxchg_u64(v, 0, 0)))

WITH_HANDLE(handle_add, bpf_percpu_add_u64(s, 0, 1))
WITH_HANDLE(this_cpu_view_add, {
	__u64 *v = (__u64 *)bpf_percpu_store_this_cpu(s, 0, sizeof(__u64));

	if (v)
		bpf_percpu_view_add_u64(v, 1);
})
WITH_HANDLE(handle_add_return, {
	__u64 res;

	bpf_percpu_add_return_u64(s, 0, 1, &res);
})
WITH_HANDLE(handle_xchg, {
	__u64 old;

	bpf_percpu_xchg_u64(s, 0, 1, &old);
})
WITH_HANDLE(handle_cmpxchg, {
	__u64 old;

	bpf_percpu_cmpxchg_u64(s, 0, 0, 0, &old);
})
WITH_HANDLE(this_cpu, bpf_percpu_store_this_cpu(s, 0, sizeof(__u64)))
WITH_HANDLE(per_cpu, bpf_percpu_store_per_cpu(s, 0, 0, sizeof(__u64)))

WITH_ID(id_add, bpf_percpu_id_add_u64(id, 0, 1))
WITH_ID(get_handle_add, {
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (s)
		bpf_percpu_add_u64(s, 0, 1);
})
WITH_ID(get, bpf_percpu_store_get(id))
WITH_ID(data, bpf_percpu_data(id, sizeof(__u64)))

/* Programs that add once to each of some counters. The kernel measures the time. */

SEC("tc")
int run_empty(struct __sk_buff *ctx)
{
	return 0;
}

#define ID_ADD(i) bpf_percpu_id_add_u64(setup.id, 8 * (i), 1)
#define HANDLE_ADD(i) bpf_percpu_add_u64(s, 8 * (i), 1)
#define VIEW_ADD(i) bpf_percpu_view_add_u64(&v[i], 1)
#define VIEW_PLAIN(i) v[i] += 1

#define PROGRAMS(n)                                                           \
	SEC("tc")                                                             \
	int run_id_add_##n(struct __sk_buff *ctx)                             \
	{                                                                     \
		EACH_##n(ID_ADD);                                             \
		return 0;                                                     \
	}                                                                     \
	SEC("tc")                                                             \
	int run_get_handle_add_##n(struct __sk_buff *ctx)                     \
	{                                                                     \
		struct bpf_percpu_store *s = bpf_percpu_store_get(setup.id);  \
		if (!s)                                                       \
			return -1;                                            \
		EACH_##n(HANDLE_ADD);                                         \
		return 0;                                                     \
	}                                                                     \
	SEC("tc")                                                             \
	int run_data_add_##n(struct __sk_buff *ctx)                           \
	{                                                                     \
		__u64 *v =                                                    \
			(__u64 *)bpf_percpu_data(setup.id, (n) * sizeof(*v)); \
		EACH_##n(VIEW_ADD);                                           \
		return 0;                                                     \
	}                                                                     \
	SEC("tc")                                                             \
	int run_data_##n(struct __sk_buff *ctx)                               \
	{                                                                     \
		__u64 *v =                                                    \
			(__u64 *)bpf_percpu_data(setup.id, (n) * sizeof(*v)); \
		EACH_##n(VIEW_PLAIN);                                         \
		return 0;                                                     \
	}

PROGRAMS(1)
PROGRAMS(4)
PROGRAMS(16)
