// SPDX-License-Identifier: GPL-2.0
/* Performs each operation on one slot, in each way. */
#include "call.h"

/* The size of the stores that are used through bpf_percpu_data(). */
#define SIZE 64

#define BY_HANDLE(bits)                                                       \
	static __always_inline int by_handle_##bits(                          \
		struct call *c, struct bpf_percpu_store *s)                   \
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
		default:                                                      \
			return BAD_CALL;                                      \
		}                                                             \
		c->result = result;                                           \
		return 0;                                                     \
	}
BY_HANDLE(64)
BY_HANDLE(32)

#define ON_A_VIEW(bits)                                                       \
	static __always_inline int on_view_##bits(struct call *c, void *view) \
	{                                                                     \
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

static __always_inline int by_handle(struct call *c, struct bpf_percpu_store *s)
{
	return c->bits == 64 ? by_handle_64(c, s) : by_handle_32(c, s);
}

static __always_inline int on_view(struct call *c, struct bpf_percpu_store *s)
{
	u8 *view;

	if (c->bits == 64) {
		view = bpf_percpu_store_this_cpu(s, c->off, 8);
		return view ? on_view_64(c, view) : NO_VIEW;
	}
	view = bpf_percpu_store_this_cpu(s, c->off, 4);
	return view ? on_view_32(c, view) : NO_VIEW;
}

static __always_inline int on_data(struct call *c)
{
	u8 *data = bpf_percpu_data(c->id, SIZE);
	u32 off = c->off;

	if (off > SIZE - 8)
		return BAD_CALL;
	return c->bits == 64 ? on_view_64(c, data + off) :
			       on_view_32(c, data + off);
}

static __always_inline int by_id(struct call *c)
{
	if (c->op != ADD)
		return BAD_CALL;
	bpf_rcu_read_lock();
	c->error = c->bits == 64 ?
			   bpf_percpu_id_add_u64(c->id, c->off, c->val) :
			   bpf_percpu_id_add_u32(c->id, c->off, c->val);
	bpf_rcu_read_unlock();
	return 0;
}

static __always_inline int by_get(struct call *c)
{
	struct bpf_percpu_store *s;
	int ret = NO_STORE;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(c->id);
	if (s)
		ret = c->way == ON_VIEW ? on_view(c, s) : by_handle(c, s);
	bpf_rcu_read_unlock();
	return ret;
}

/* Outside of any RCU section: the reference suffices. */
static __always_inline int by_reference(struct call *c)
{
	struct bpf_percpu_store *s, *owned = NULL;
	int ret;

	if (c->way == BY_LOOKUP) {
		owned = bpf_percpu_store_lookup(STORE_NAME);
	} else {
		bpf_rcu_read_lock();
		s = bpf_percpu_store_get(c->id);
		if (s)
			owned = bpf_percpu_store_acquire(s);
		bpf_rcu_read_unlock();
	}
	if (!owned)
		return NO_STORE;
	ret = by_handle(c, owned);
	bpf_percpu_store_release(owned);
	return ret;
}

SEC("syscall")
int call(struct call *c)
{
	c->cpu = bpf_get_smp_processor_id();
	switch (c->way) {
	case BY_GET:
	case ON_VIEW:
		return by_get(c);
	case BY_LOOKUP:
	case BY_ACQUIRE:
		return by_reference(c);
	case BY_ID:
		return by_id(c);
	case ON_DATA:
		return on_data(c);
	}
	return BAD_CALL;
}
