// SPDX-License-Identifier: GPL-2.0
/*
 * this_cpu_*() of include/linux/percpu-defs.h for each width, and the same for
 * ordinary addresses, by cmpxchg_local() of include/linux/atomic.h.
 */
#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/unaligned.h>

#include "helpers.h"

#define PERCPU(bits, ptr) (*(u##bits __percpu *)(uintptr_t)(ptr))

#define DEFINE_PERCPU(bits)                                                    \
	u##bits bpf_percpu_helper_this_cpu_read_##bits(const u##bits *ptr)     \
	{                                                                      \
		return this_cpu_read(PERCPU(bits, ptr));                       \
	}                                                                      \
	void bpf_percpu_helper_this_cpu_write_##bits(u##bits *ptr,             \
						     u##bits val)              \
	{                                                                      \
		this_cpu_write(PERCPU(bits, ptr), val);                        \
	}                                                                      \
	void bpf_percpu_helper_this_cpu_add_##bits(u##bits *ptr, u##bits val)  \
	{                                                                      \
		this_cpu_add(PERCPU(bits, ptr), val);                          \
	}                                                                      \
	u##bits bpf_percpu_helper_this_cpu_add_return_##bits(u##bits *ptr,     \
							     u##bits val)      \
	{                                                                      \
		return this_cpu_add_return(PERCPU(bits, ptr), val);            \
	}                                                                      \
	u##bits bpf_percpu_helper_this_cpu_xchg_##bits(u##bits *ptr,           \
						       u##bits val)            \
	{                                                                      \
		return this_cpu_xchg(PERCPU(bits, ptr), val);                  \
	}                                                                      \
	u##bits bpf_percpu_helper_this_cpu_cmpxchg_##bits(                     \
		u##bits *ptr, u##bits old, u##bits new)                        \
	{                                                                      \
		return this_cpu_cmpxchg(PERCPU(bits, ptr), old, new);          \
	}                                                                      \
	u##bits bpf_percpu_helper_local_cmpxchg_##bits(                        \
		u##bits *ptr, u##bits old, u##bits new)                        \
	{                                                                      \
		unsigned long flags;                                           \
		u##bits seen;                                                  \
		if (IS_ALIGNED((uintptr_t)ptr, sizeof(*ptr)))                  \
			return cmpxchg_local(ptr, old, new);                   \
		/* cmpxchg_local() of some architectures needs alignment. */   \
		local_irq_save(flags);                                         \
		seen = get_unaligned(ptr);                                     \
		if (seen == old)                                               \
			put_unaligned(new, ptr);                               \
		local_irq_restore(flags);                                      \
		return seen;                                                   \
	}                                                                      \
	u##bits bpf_percpu_helper_local_add_return_##bits(u##bits *ptr,        \
							  u##bits val)         \
	{                                                                      \
		u##bits old = get_unaligned(ptr), seen;                        \
		while ((seen = bpf_percpu_helper_local_cmpxchg_##bits(         \
				ptr, old, old + val)) != old)                  \
			old = seen;                                            \
		return old + val;                                              \
	}                                                                      \
	u##bits bpf_percpu_helper_local_xchg_##bits(u##bits *ptr, u##bits val) \
	{                                                                      \
		u##bits old = get_unaligned(ptr), seen;                        \
		while ((seen = bpf_percpu_helper_local_cmpxchg_##bits(         \
				ptr, old, val)) != old)                        \
			old = seen;                                            \
		return old;                                                    \
	}

DEFINE_PERCPU(32)
DEFINE_PERCPU(64)

void *bpf_percpu_helper_this_cpu_ptr(void *ptr)
{
	return raw_cpu_ptr((void __percpu *)(uintptr_t)ptr);
}
