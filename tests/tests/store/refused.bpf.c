// SPDX-License-Identifier: GPL-2.0
/* Programs that use handles and views in ways that the verifier must reject. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "../pair.h"

char _license[] SEC("license") = "GPL";

/* Not constant to the verifier. */
u32 id;
char name[16] = "store";

static __always_inline int no_release_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");

	if (s && !mistake)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", no_release)

static __always_inline int no_release_of_acquired_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (!s)
		return 0;
	s = bpf_percpu_store_acquire(s);
	if (s && !mistake)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", no_release_of_acquired)

static __always_inline int release_twice_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");

	if (!s)
		return 0;
	bpf_percpu_store_release(s);
	if (mistake)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", release_twice)

static __always_inline int handle_after_release_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");

	if (!s)
		return 0;
	if (!mistake)
		bpf_percpu_add_u64(s, 0, 1);
	bpf_percpu_store_release(s);
	if (mistake)
		bpf_percpu_add_u64(s, 0, 1);
	return 0;
}
PAIR("tc", handle_after_release)

static __always_inline int view_after_release_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");
	u8 *view;

	if (!s)
		return 0;
	view = bpf_percpu_store_this_cpu(s, 0, 8);
	if (view && !mistake)
		*view = 1;
	bpf_percpu_store_release(s);
	if (view && mistake)
		*view = 1;
	return 0;
}
PAIR("syscall", view_after_release)

static __always_inline int field_after_release_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");
	int ret = 0;

	if (!s)
		return 0;
	if (!mistake)
		ret = s->size;
	bpf_percpu_store_release(s);
	if (mistake)
		ret = s->size;
	return ret;
}
PAIR("tc", field_after_release)

static __always_inline int forged_on_stack_if(bool mistake)
{
	struct bpf_percpu_store fake = { .size = 1 << 20 };
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	barrier_var(s);
	return s ? bpf_percpu_add_u64(mistake ? &fake : s, 0, 1) : 0;
}
PAIR("tc", forged_on_stack)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u8[64]);
} memory SEC(".maps");

static __always_inline int forged_in_map_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u32 key = 0;
	void *fake = bpf_map_lookup_elem(&memory, &key);

	if (!s || !fake)
		return 0;
	return bpf_percpu_add_u64(mistake ? fake : s, 0, 1);
}
PAIR("tc", forged_in_map)

static __always_inline int released_fake_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");
	u32 key = 0;
	void *fake = bpf_map_lookup_elem(&memory, &key);

	if (s && fake && mistake)
		bpf_percpu_store_release(fake);
	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", released_fake)

struct untrusted {
	struct bpf_percpu_store __kptr_untrusted *s;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct untrusted);
} untrusted SEC(".maps");

static __always_inline int untrusted_handle_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	struct untrusted *value;
	u32 key = 0;

	value = bpf_map_lookup_elem(&untrusted, &key);
	if (!s || !value)
		return 0;
	if (mistake)
		s = value->s;
	return s ? bpf_percpu_add_u64(s, 0, 1) : 0;
}
PAIR("tc", untrusted_handle)

static __always_inline int scalar_as_handle_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (!s)
		return 0;
	return bpf_percpu_add_u64(mistake ? (void *)0xffffffff81000000 : s, 0,
				  1);
}
PAIR("tc", scalar_as_handle)

static __always_inline int write_through_handle_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (!s)
		return 0;
	if (mistake)
		s->size = 1 << 20;
	return s->size;
}
PAIR("tc", write_through_handle)

static __always_inline int write_through_pointer_of_handle_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u64 *data;

	if (!s)
		return 0;
	data = s->__data;
	if (mistake)
		*data = 1;
	return !!data;
}
PAIR("tc", write_through_pointer_of_handle)

static __always_inline int get_without_rcu_if(bool mistake)
{
	if (!mistake)
		bpf_rcu_read_lock();
	bpf_percpu_store_get(id);
	if (!mistake)
		bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", get_without_rcu)

static __always_inline int id_add_without_rcu_if(bool mistake)
{
	if (!mistake)
		bpf_rcu_read_lock();
	bpf_percpu_id_add_u64(id, 0, 1);
	if (!mistake)
		bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", id_add_without_rcu)

static __always_inline int handle_after_unlock_if(bool mistake)
{
	struct bpf_percpu_store *s;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(id);
	if (mistake) {
		bpf_rcu_read_unlock();
		bpf_rcu_read_lock();
	}
	if (s)
		bpf_percpu_add_u64(s, 0, 1);
	bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", handle_after_unlock)

static __always_inline int acquire_after_unlock_if(bool mistake)
{
	struct bpf_percpu_store *s;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(id);
	if (mistake)
		bpf_rcu_read_unlock();
	if (s)
		s = bpf_percpu_store_acquire(s);
	if (!mistake)
		bpf_rcu_read_unlock();
	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("syscall", acquire_after_unlock)

static __always_inline int release_of_got_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (s && mistake)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", release_of_got)

static __always_inline int unchecked_get_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (mistake || s)
		return bpf_percpu_add_u64(s, 0, 1);
	return 0;
}
PAIR("tc", unchecked_get)

static __always_inline int unchecked_lookup_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup("store");

	if (mistake || s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", unchecked_lookup)

static __always_inline int unchecked_acquire_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);

	if (!s)
		return 0;
	s = bpf_percpu_store_acquire(s);
	if (mistake || s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", unchecked_acquire)

static __always_inline int name_not_constant_if(bool mistake)
{
	struct bpf_percpu_store *s =
		bpf_percpu_store_lookup(mistake ? name : "store");

	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", name_not_constant)

static __always_inline int name_on_stack_if(bool mistake)
{
	char text[8] = "store";
	struct bpf_percpu_store *s =
		bpf_percpu_store_lookup(mistake ? text : "store");

	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", name_on_stack)

/* The whole map. */
const char no_end[4] SEC(".rodata.no_end") = { 's', 't', 'o', 'r' };

static __always_inline int name_without_end_if(bool mistake)
{
	struct bpf_percpu_store *s =
		bpf_percpu_store_lookup(mistake ? no_end : "store");

	if (s)
		bpf_percpu_store_release(s);
	return 0;
}
PAIR("tc", name_without_end)

#define RESULT(kfunc, ...)                                                   \
	static __always_inline int null_result_of_##kfunc##_if(bool mistake) \
	{                                                                    \
		struct bpf_percpu_store *s = bpf_percpu_store_get(id);       \
		u64 result;                                                  \
		if (!s)                                                      \
			return 0;                                            \
		return bpf_percpu_##kfunc(s, 0, __VA_ARGS__,                 \
					  mistake ? NULL : &result);         \
	}                                                                    \
	PAIR("tc", null_result_of_##kfunc)
RESULT(add_return_u64, 1)
RESULT(xchg_u64, 1)
RESULT(cmpxchg_u64, 1, 2)
RESULT(sum_u64, bpf_get_possible_cpumask())

static __always_inline int small_result_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u32 key = 0;
	u8 *memory_end = bpf_map_lookup_elem(&memory, &key);

	if (!s || !memory_end)
		return 0;
	return bpf_percpu_add_return_u64(
		s, 0, 1, (u64 *)(memory_end + (mistake ? 60 : 56)));
}
PAIR("tc", small_result)

static __always_inline int constant_result_if(bool mistake)
{
	static const volatile u64 constant = 1;
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u64 result;

	if (!s)
		return 0;
	return bpf_percpu_add_return_u64(s, 0, 1,
					 mistake ? (u64 *)&constant : &result);
}
PAIR("tc", constant_result)

static __always_inline int scalar_as_mask_if(bool mistake)
{
	struct bpf_percpu_store *s = bpf_percpu_store_get(id);
	u64 sum = 0;

	if (!s)
		return 0;
	return bpf_percpu_sum_u64(s, 0,
				  mistake ? (void *)0xffffffff81000000 :
					    bpf_get_possible_cpumask(),
				  &sum);
}
PAIR("tc", scalar_as_mask)
