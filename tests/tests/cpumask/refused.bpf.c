// SPDX-License-Identifier: GPL-2.0
/* Programs that use masks and the iterator in ways that the verifier must reject. */
#include "seen.h"
#include "../pair.h"

static __always_inline int no_destroy_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	bpf_iter_cpumask_next(&it);
	if (!mistake)
		bpf_iter_cpumask_destroy(&it);
	return 0;
}
PAIR("tc", no_destroy)

static __always_inline int next_before_new_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	if (!mistake)
		bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	bpf_iter_cpumask_next(&it);
	if (!mistake)
		bpf_iter_cpumask_destroy(&it);
	return 0;
}
PAIR("tc", next_before_new)

static __always_inline int destroy_before_new_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	if (!mistake)
		bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	bpf_iter_cpumask_destroy(&it);
	return 0;
}
PAIR("tc", destroy_before_new)

static __always_inline int next_after_destroy_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	if (!mistake)
		bpf_iter_cpumask_next(&it);
	bpf_iter_cpumask_destroy(&it);
	if (mistake)
		bpf_iter_cpumask_next(&it);
	return 0;
}
PAIR("tc", next_after_destroy)

static __always_inline int destroy_twice_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	bpf_iter_cpumask_destroy(&it);
	if (mistake)
		bpf_iter_cpumask_destroy(&it);
	return 0;
}
PAIR("tc", destroy_twice)

static __always_inline int pointer_after_destroy_if(bool mistake)
{
	struct bpf_iter_cpumask it;
	int *cpu, sum = 0;

	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	cpu = bpf_iter_cpumask_next(&it);
	if (cpu && !mistake)
		sum += *cpu;
	bpf_iter_cpumask_destroy(&it);
	if (cpu && mistake)
		sum += *cpu;
	return sum;
}
PAIR("tc", pointer_after_destroy)

static __always_inline int unchecked_pointer_if(bool mistake)
{
	struct bpf_iter_cpumask it;
	int *cpu, sum = 0;

	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	cpu = bpf_iter_cpumask_next(&it);
	if (mistake || cpu)
		sum = *cpu;
	bpf_iter_cpumask_destroy(&it);
	return sum;
}
PAIR("tc", unchecked_pointer)

static __always_inline int store_through_pointer_if(bool mistake)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		if (mistake)
			*cpu = 0;
	}
	return 0;
}
PAIR("tc", store_through_pointer)

static __always_inline int null_mask_if(bool mistake)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, mistake ? NULL : bpf_get_possible_cpumask())
		;
	return 0;
}
PAIR("tc", null_mask)

static __always_inline int null_mask_next_if(bool mistake)
{
	return bpf_cpumask_next(-1,
				mistake ? NULL : bpf_get_possible_cpumask());
}
PAIR("tc", null_mask_next)

static __always_inline int unchecked_mask_if(bool mistake)
{
	const struct cpumask *mask =
		bpf_get_housekeeping_cpumask(HK_TYPE_DOMAIN);
	int *cpu;

	if (mistake || mask)
		bpf_for_each(cpumask, cpu, mask)
			;
	return 0;
}
PAIR("tc", unchecked_mask)

static __always_inline const struct cpumask *mask_of_type(bool untrusted)
{
	const struct cpumask *mask = bpf_get_possible_cpumask();

	return untrusted ? bpf_core_cast(mask, struct cpumask) : mask;
}

static __always_inline int untrusted_mask_if(bool mistake)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, mask_of_type(mistake))
		;
	return 0;
}
PAIR("tc", untrusted_mask)

static __always_inline int untrusted_mask_next_if(bool mistake)
{
	return bpf_cpumask_next(-1, mask_of_type(mistake));
}
PAIR("tc", untrusted_mask_next)

static __always_inline int scalar_mask_if(bool mistake)
{
	const struct cpumask *mask = bpf_get_possible_cpumask();

	return bpf_cpumask_next(-1,
				mistake ? (void *)0xffffffff81000000 : mask);
}
PAIR("tc", scalar_mask)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u8[512]);
} small SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpumask);
} whole SEC(".maps");

static __always_inline int small_memory_if(bool mistake)
{
	struct cpumask *mask;
	u32 key = 0;

	mask = mistake ? bpf_map_lookup_elem(&small, &key) :
			 bpf_map_lookup_elem(&whole, &key);
	return mask ? bpf_cpumask_next(-1, mask) : 0;
}
PAIR("tc", small_memory)

static __always_inline int change_of_global_mask_if(bool mistake)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 0;
	if (mistake)
		bpf_cpumask_clear_cpu(
			0, (struct bpf_cpumask *)bpf_get_possible_cpumask());
	else
		bpf_cpumask_clear_cpu(0, mask);
	bpf_cpumask_release(mask);
	return 0;
}
PAIR("syscall", change_of_global_mask)

static __always_inline int next_after_unlock_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	bpf_rcu_read_lock();
	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	if (mistake) {
		bpf_rcu_read_unlock();
		bpf_rcu_read_lock();
	}
	bpf_iter_cpumask_next(&it);
	bpf_iter_cpumask_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", next_after_unlock)

static __always_inline int destroy_after_unlock_if(bool mistake)
{
	struct bpf_iter_cpumask it;

	bpf_rcu_read_lock();
	bpf_iter_cpumask_new(&it, bpf_get_possible_cpumask());
	if (mistake)
		bpf_rcu_read_unlock();
	bpf_iter_cpumask_destroy(&it);
	if (!mistake)
		bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", destroy_after_unlock)

static __always_inline int no_rcu_section_if(bool mistake)
{
	int *cpu;

	if (!mistake)
		bpf_rcu_read_lock();
	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask())
		;
	if (!mistake)
		bpf_rcu_read_unlock();
	return 0;
}
PAIR("syscall", no_rcu_section)
