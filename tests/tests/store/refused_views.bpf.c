// SPDX-License-Identifier: GPL-2.0
/* Programs that use views in ways that the verifier must reject. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "../pair.h"

char _license[] SEC("license") = "GPL";

/* Not constant to the verifier. */
u32 id, size, off;

static __always_inline u8 *view_of(int size)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	return s ? bpf_percpu_store_this_cpu(s, 0, size) : NULL;
}

static __always_inline u8 *other_view_of(int size)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	return s ? bpf_percpu_store_per_cpu(s, 0, 0, size) : NULL;
}

static __always_inline int unchecked_this_cpu_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u8 *view;

	if (!s)
		return 0;
	view = bpf_percpu_store_this_cpu(s, 0, 8);
	return mistake || view ? *view : 0;
}
PAIR("tc", unchecked_this_cpu)

static __always_inline int unchecked_per_cpu_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u8 *view;

	if (!s)
		return 0;
	view = bpf_percpu_store_per_cpu(s, 0, 0, 8);
	return mistake || view ? *view : 0;
}
PAIR("tc", unchecked_per_cpu)

static __always_inline int unchecked_view_op_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u64 *view;

	if (!s)
		return 0;
	view = (u64 *)bpf_percpu_store_this_cpu(s, 0, 8);
	if (mistake || view)
		bpf_percpu_view_add_u64(view, 1);
	return 0;
}
PAIR("tc", unchecked_view_op)

static __always_inline int store_to_other_cpu_if(bool mistake)
{
	u8 *view = other_view_of(8);

	if (!view)
		return 0;
	if (mistake)
		*view = 1;
	return *view;
}
PAIR("tc", store_to_other_cpu)

#define ON_OTHER_CPU(op, ...)                                            \
	static __always_inline int op##_on_other_cpu_if(bool mistake)    \
	{                                                                \
		u8 *view = mistake ? other_view_of(8) : view_of(8);      \
		if (view)                                                \
			bpf_percpu_view_##op((void *)view, __VA_ARGS__); \
		return 0;                                                \
	}                                                                \
	PAIR("tc", op##_on_other_cpu)
ON_OTHER_CPU(add_u64, 1)
ON_OTHER_CPU(add_u32, 1)
ON_OTHER_CPU(add_return_u64, 1)
ON_OTHER_CPU(add_return_u32, 1)
ON_OTHER_CPU(xchg_u64, 1)
ON_OTHER_CPU(xchg_u32, 1)
ON_OTHER_CPU(cmpxchg_u64, 1, 2)
ON_OTHER_CPU(cmpxchg_u32, 1, 2)

static __always_inline int read_past_end_if(bool mistake)
{
	u8 *view = view_of(8);

	return view ? view[mistake ? 8 : 7] : 0;
}
PAIR("tc", read_past_end)

static __always_inline int write_past_end_if(bool mistake)
{
	u8 *view = view_of(8);

	if (view)
		view[mistake ? 8 : 7] = 1;
	return 0;
}
PAIR("tc", write_past_end)

static __always_inline int read_before_start_if(bool mistake)
{
	u8 *view = view_of(8);

	return view ? view[mistake ? -1 : 0] : 0;
}
PAIR("tc", read_before_start)

static __always_inline int read_of_other_past_end_if(bool mistake)
{
	u8 *view = other_view_of(8);

	return view ? view[mistake ? 8 : 7] : 0;
}
PAIR("tc", read_of_other_past_end)

static __always_inline int any_offset_if(bool mistake)
{
	u8 *view = view_of(64);
	u64 i = off;

	if (i >= 64 + mistake)
		return 0;
	return view ? view[i] : 0;
}
PAIR("tc", any_offset)

static __always_inline int data_past_end_if(bool mistake)
{
	return bpf_percpu_data(id, 8)[mistake ? 8 : 7];
}
PAIR("tc", data_past_end)

static __always_inline int size_not_constant_if(bool mistake)
{
	u8 *view = view_of(mistake ? size : 8);

	return view ? *view : 0;
}
PAIR("tc", size_not_constant)

static __always_inline int other_size_not_constant_if(bool mistake)
{
	u8 *view = other_view_of(mistake ? size : 8);

	return view ? *view : 0;
}
PAIR("tc", other_size_not_constant)

static __always_inline int data_size_not_constant_if(bool mistake)
{
	return *bpf_percpu_data(id, mistake ? size : 8);
}
PAIR("tc", data_size_not_constant)

/* Larger than an int, which is the type of the size. */
#define WITH_64_BITS(name, bits)                                              \
	SEC("?tc")                                                            \
	int name(void *ctx)                                                   \
	{                                                                     \
		asm volatile("r1 = 0;"                                        \
			     "r2 = " bits " ll;"                              \
			     "call %[bpf_percpu_data];"                       \
			     :                                                \
			     : [bpf_percpu_data] "i"(bpf_percpu_data)         \
			     : "r0", "r1", "r2", "r3", "r4", "r5", "memory"); \
		return 0;                                                     \
	}
WITH_64_BITS(size_too_large, "0x100000000")
WITH_64_BITS(size_too_large_control, "0x8")

static __always_inline int small_view_if(bool mistake)
{
	u8 *view = view_of(mistake ? 4 : 8);

	if (view)
		bpf_percpu_view_add_u64((u64 *)view, 1);
	return 0;
}
PAIR("tc", small_view)

static __always_inline int end_of_view_if(bool mistake)
{
	u8 *view = view_of(64);

	if (view)
		bpf_percpu_view_add_u64((u64 *)(view + (mistake ? 60 : 56)), 1);
	return 0;
}
PAIR("tc", end_of_view)

static __always_inline int end_of_view_32_if(bool mistake)
{
	u8 *view = view_of(64);

	if (view)
		bpf_percpu_view_add_u32((u32 *)(view + (mistake ? 61 : 60)), 1);
	return 0;
}
PAIR("tc", end_of_view_32)

static __always_inline int scalar_as_view_if(bool mistake)
{
	u8 *view = view_of(8);

	if (view)
		bpf_percpu_view_add_u64(
			mistake ? (u64 *)0xffffffff81000000 : (u64 *)view, 1);
	return 0;
}
PAIR("tc", scalar_as_view)

static __always_inline int null_as_view_if(bool mistake)
{
	u8 *view = view_of(8);

	if (view)
		bpf_percpu_view_add_u64(mistake ? NULL : (u64 *)view, 1);
	return 0;
}
PAIR("tc", null_as_view)
