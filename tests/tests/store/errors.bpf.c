// SPDX-License-Identifier: GPL-2.0
/* Calls with bad arguments, and sums. */
#include "call.h"

/* The sizes of views. */
#define VIEW(c, s, n)                                                   \
	((c)->op ? bpf_percpu_store_per_cpu(s, (c)->cpu, (c)->off, n) : \
		   bpf_percpu_store_this_cpu(s, (c)->off, n))

static __always_inline int see(struct call *c, u8 *view, u32 size)
{
	if (!view)
		return NO_VIEW;
	c->result = view[0] | (u64)view[size - 1] << 8;
	return 0;
}

static __always_inline int view_of(struct call *c, struct bpf_percpu_store *s)
{
	switch (c->size) {
	case 0:
		return VIEW(c, s, 0) ? 0 : NO_VIEW;
	case 1:
		return see(c, VIEW(c, s, 1), 1);
	case 8:
		return see(c, VIEW(c, s, 8), 8);
	case 61:
		return see(c, VIEW(c, s, 61), 61);
	case 62:
		return see(c, VIEW(c, s, 62), 62);
	case 64:
		return see(c, VIEW(c, s, 64), 64);
	case 32768:
		return see(c, VIEW(c, s, 32768), 32768);
	case 32769:
		return see(c, VIEW(c, s, 32769), 32769);
	case 0x7fffffff:
		return see(c, VIEW(c, s, 0x7fffffff), 8);
	/* Negative: to the verifier, it is nearly 4 GiB. */
	case 0x80000000:
		return see(c, VIEW(c, s, 1 << 31), 8);
	case 0xffffffc8:
		return see(c, VIEW(c, s, -56), 8);
	case 0xffffffff:
		return see(c, VIEW(c, s, -1), 8);
	}
	return BAD_CALL;
}

SEC("?syscall")
int view(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = view_of(c, s);
	bpf_rcu_read_unlock();
	return ret;
}

/* Reads and writes the first and the last of @size bytes. */
#define DATA(name, size)                                        \
	SEC("?syscall")                                         \
	int name(struct call *c)                                \
	{                                                       \
		u8 *data = bpf_percpu_data(c->id, size);        \
		volatile u64 *first = (u64 *)data;              \
		volatile u64 *last = (u64 *)(data + END(size)); \
		c->result = *first | *last;                     \
		*first = c->val;                                \
		*last = c->val;                                 \
		c->expect = *last;                              \
		return 0;                                       \
	}

/* The largest offset from a pointer that the verifier allows. */
#define REACH ((1 << 29) - 8)
#define END(size) ((u32)(size) - 8 > REACH ? REACH : (u32)(size) - 8)

DATA(data_8, 8)
DATA(data_64, 64)
DATA(data_65, 65)
DATA(data_32k, 32768)
DATA(data_32k_and_1, 32769)
DATA(data_64k, 65536)
DATA(data_1m, 1 << 20)
DATA(data_512m, 1 << 29)
DATA(data_2g, 0x7fffffff)
DATA(data_negative, -1)

/* The furthest access: the largest variable offset plus that of the instruction. */
SEC("?syscall")
int data_furthest(struct call *c)
{
	u8 *data = bpf_percpu_data(c->id, -1);
	u64 off = c->size;
	u64 value;

	if (off >= 1 << 29)
		return BAD_CALL;
	data += off;
	asm volatile("%[value] = *(u64 *)(%[data] + 32767);"
		     "*(u64 *)(%[data] + 32767) = %[new];"
		     : [value] "=&r"(value)
		     : [data] "r"(data), [new] "r"(c->val)
		     : "memory");
	c->result = value;
	return 0;
}

/* A program that runs often, on a store that is gone. */
SEC("?syscall")
int data_often(struct call *c)
{
	int i;

	bpf_for(i, 0, 100)
		bpf_percpu_view_add_u64((u64 *)bpf_percpu_data(c->id, 8), 1);
	return 0;
}

/* Masks to sum over: enum Mask in sums.rs. */
enum mask {
	POSSIBLE,
	ONLINE,
	OWN,
	MEMORY,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpumask);
} memory SEC(".maps");

static __always_inline int sum_over(struct call *c, struct bpf_percpu_store *s,
				    const struct cpumask *mask)
{
	u64 sum = c->result;
	u32 sum_32 = c->result;

	if (c->bits == 64) {
		c->error = bpf_percpu_sum_u64(s, c->off, mask, &sum);
		c->result = sum;
	} else {
		c->error = bpf_percpu_sum_u32(s, c->off, mask, &sum_32);
		c->result = sum_32;
	}
	return 0;
}

/* The program's own mask: the bits of c->expect. */
static __always_inline int sum_over_own(struct call *c,
					struct bpf_percpu_store *s)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	int cpu;

	if (!mask)
		return BAD_CALL;
	bpf_for(cpu, 0, 64)
	{
		if (c->expect >> cpu & 1)
			bpf_cpumask_set_cpu(cpu, mask);
	}
	sum_over(c, s, (const struct cpumask *)mask);
	bpf_cpumask_release(mask);
	return 0;
}

static __always_inline int sum_by_mask(struct call *c,
				       struct bpf_percpu_store *s)
{
	struct cpumask *mask;
	u32 key = 0;

	switch (c->cpu) {
	case POSSIBLE:
		return sum_over(c, s, bpf_get_possible_cpumask());
	case ONLINE:
		return sum_over(c, s, bpf_get_online_cpumask());
	case OWN:
		return sum_over_own(c, s);
	case MEMORY:
		mask = bpf_map_lookup_elem(&memory, &key);
		return mask ? sum_over(c, s, mask) : BAD_CALL;
	}
	return BAD_CALL;
}

SEC("?syscall")
int sum(struct call *c)
{
	struct bpf_percpu_store *s = bpf_percpu_store_lookup(STORE_NAME);
	int ret;

	if (!s)
		return NO_STORE;
	ret = sum_by_mask(c, s);
	bpf_percpu_store_release(s);
	return ret;
}
