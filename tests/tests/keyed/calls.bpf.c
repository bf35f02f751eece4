// SPDX-License-Identifier: GPL-2.0
/* Each program makes one call on one entry. */
#include "call.h"

static __always_inline int see(struct call *c, struct bpf_percpu_store *entry)
{
	c->entry = (u64)entry;
	if (!entry)
		return NO_ENTRY;
	c->key = entry->key;
	c->entry_id = entry->id;
	c->entry_size = entry->size;
	return 0;
}

/* Finds or creates the owner's entry. */
SEC("?syscall")
int find(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = WITH_ENTRY(c, s, see);
	bpf_rcu_read_unlock();
	return ret;
}

static __always_inline int tell(struct call *c, int error)
{
	c->error = error;
	return 0;
}

SEC("?syscall")
int delete(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = WITH_OWNER(c, s, tell(c, bpf_percpu_task_delete(s, task)),
				 tell(c, bpf_percpu_cgroup_delete(s, cgrp)),
				 tell(c, bpf_percpu_key_delete(s, c->owner)));
	bpf_rcu_read_unlock();
	return ret;
}

#define ON_STORE(bits)                                                        \
	static __noinline int on_store_##bits(struct call *c,                 \
					      struct bpf_percpu_store *s)     \
	{                                                                     \
		u##bits result = c->result;                                   \
		switch (c->op) {                                              \
		case ADD:                                                     \
			c->error = bpf_percpu_add_u##bits(s, c->off, c->val); \
			break;                                                \
		case ADD_RETURN:                                              \
			c->error = bpf_percpu_add_return_u##bits(             \
				s, c->off, c->val, &result);                  \
			break;                                                \
		case XCHG:                                                    \
			c->error = bpf_percpu_xchg_u##bits(s, c->off, c->val, \
							   &result);          \
			break;                                                \
		case CMPXCHG:                                                 \
			c->error = bpf_percpu_cmpxchg_u##bits(                \
				s, c->off, c->expect, c->val, &result);       \
			break;                                                \
		case SUM:                                                     \
			c->error = bpf_percpu_sum_u##bits(                    \
				s, c->off, bpf_get_possible_cpumask(),        \
				&result);                                     \
			break;                                                \
		default:                                                      \
			return BAD_CALL;                                      \
		}                                                             \
		c->result = result;                                           \
		return 0;                                                     \
	}
ON_STORE(64)
ON_STORE(32)

#define ON_A_VIEW(bits)                                                       \
	static __always_inline int on_view_##bits(struct call *c,             \
						  struct bpf_percpu_store *s) \
	{                                                                     \
		u##bits *view = (u##bits *)bpf_percpu_store_this_cpu(         \
			s, c->off, (bits) / 8);                               \
		if (!view)                                                    \
			return NO_VIEW;                                       \
		switch (c->op) {                                              \
		case ADD:                                                     \
			bpf_percpu_view_add_u##bits(view, c->val);            \
			break;                                                \
		case ADD_RETURN:                                              \
			c->result = bpf_percpu_view_add_return_u##bits(       \
				view, c->val);                                \
			break;                                                \
		case XCHG:                                                    \
			c->result =                                           \
				bpf_percpu_view_xchg_u##bits(view, c->val);   \
			break;                                                \
		case CMPXCHG:                                                 \
			c->result = bpf_percpu_view_cmpxchg_u##bits(          \
				view, c->expect, c->val);                     \
			break;                                                \
		default:                                                      \
			return BAD_CALL;                                      \
		}                                                             \
		c->error = 0;                                                 \
		return 0;                                                     \
	}
ON_A_VIEW(64)
ON_A_VIEW(32)

static __always_inline int on_store(struct call *c, struct bpf_percpu_store *s)
{
	return c->bits == 64 ? on_store_64(c, s) : on_store_32(c, s);
}

static __always_inline int on_acquired(struct call *c,
				       struct bpf_percpu_store *entry)
{
	struct bpf_percpu_store *owned = bpf_percpu_store_acquire(entry);
	int ret;

	if (!owned)
		return NO_STORE;
	ret = on_store(c, owned);
	bpf_percpu_store_release(owned);
	return ret;
}

static __always_inline int use(struct call *c, struct bpf_percpu_store *entry)
{
	if (!entry)
		return NO_ENTRY;
	switch (c->way) {
	case ON_ENTRY:
		return on_store(c, entry);
	case ON_ACQUIRED:
		return on_acquired(c, entry);
	case ON_VIEW:
		return c->bits == 64 ? on_view_64(c, entry) :
				       on_view_32(c, entry);
	}
	return BAD_CALL;
}

/* An operation on the owner's entry. */
SEC("?syscall")
int operate(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = WITH_ENTRY(c, s, use);
	bpf_rcu_read_unlock();
	return ret;
}

static __always_inline int read(struct call *c, struct bpf_percpu_store *entry)
{
	u64 *view;

	if (!entry)
		return NO_ENTRY;
	view = (u64 *)bpf_percpu_store_per_cpu(entry, c->cpu, c->off, 8);
	if (!view)
		return NO_VIEW;
	c->result = *view;
	return 0;
}

/* Reads a u64 from one CPU's copy. */
SEC("?syscall")
int read_u64(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = WITH_ENTRY(c, s, read);
	bpf_rcu_read_unlock();
	return ret;
}

/* An operation on the keyed store itself. */
SEC("?syscall")
int operate_on_store(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s) {
		see(c, s);
		ret = c->way == ON_VIEW ? c->bits == 64 ? on_view_64(c, s) :
							  on_view_32(c, s) :
					  on_store(c, s);
	}
	bpf_rcu_read_unlock();
	return ret;
}

/* The same, using the store's id. */
SEC("?syscall")
int by_id(struct call *c)
{
	u64 *data;

	bpf_rcu_read_lock();
	c->error = c->bits == 64 ?
			   bpf_percpu_id_add_u64(c->id, c->off, c->val) :
			   bpf_percpu_id_add_u32(c->id, c->off, c->val);
	bpf_rcu_read_unlock();
	data = (u64 *)bpf_percpu_data(c->id, 8);
	c->result = bpf_percpu_view_add_return_u64(data, 0);
	return 0;
}

/* Reads a byte of one CPU's copy of the keyed store itself. */
SEC("?syscall")
int read_store(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = bpf_percpu_store_per_cpu(s, c->cpu, c->off, 1) ? 0 :
								       NO_VIEW;
	bpf_rcu_read_unlock();
	return ret;
}

/* Passes an entry to the kfuncs in place of the store. The key is 0. */
SEC("?syscall")
int entry_as_store(struct call *c)
{
	struct bpf_percpu_store *s, *entry;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s) {
		ret = NO_ENTRY;
		entry = bpf_percpu_key_store(s, 0, 0);
		if (entry && c->op)
			ret = WITH_OWNER(
				c, entry,
				tell(c, bpf_percpu_task_delete(entry, task)),
				tell(c, bpf_percpu_cgroup_delete(entry, cgrp)),
				tell(c,
				     bpf_percpu_key_delete(entry, c->owner)));
		else if (entry)
			ret = WITH_ENTRY(c, entry, see);
	}
	bpf_rcu_read_unlock();
	return ret;
}
