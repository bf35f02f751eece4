/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Wrappers of the kernel's inline functions and macros, for Rust: one file for
 * each header that defines them.
 */
#ifndef BPF_PERCPU_HELPERS_H
#define BPF_PERCPU_HELPERS_H

#include <linux/btf.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <asm/rqspinlock.h>

struct cgroup;

/* include/linux/percpu-defs.h, atomic/atomic-instrumented.h: see percpu.c */
#define BPF_PERCPU_DECLARE_PERCPU(bits)                                        \
	u##bits bpf_percpu_helper_this_cpu_read_##bits(const u##bits *ptr);    \
	void bpf_percpu_helper_this_cpu_write_##bits(u##bits *ptr,             \
						     u##bits val);             \
	void bpf_percpu_helper_this_cpu_add_##bits(u##bits *ptr, u##bits val); \
	u##bits bpf_percpu_helper_this_cpu_add_return_##bits(u##bits *ptr,     \
							     u##bits val);     \
	u##bits bpf_percpu_helper_this_cpu_xchg_##bits(u##bits *ptr,           \
						       u##bits val);           \
	u##bits bpf_percpu_helper_this_cpu_cmpxchg_##bits(                     \
		u##bits *ptr, u##bits old, u##bits new);                       \
	u##bits bpf_percpu_helper_local_add_return_##bits(u##bits *ptr,        \
							  u##bits val);        \
	u##bits bpf_percpu_helper_local_xchg_##bits(u##bits *ptr,              \
						    u##bits val);              \
	u##bits bpf_percpu_helper_local_cmpxchg_##bits(                        \
		u##bits *ptr, u##bits old, u##bits new);

BPF_PERCPU_DECLARE_PERCPU(32)
BPF_PERCPU_DECLARE_PERCPU(64)

void *bpf_percpu_helper_this_cpu_ptr(void *ptr);

/* btf.h */
u32 bpf_percpu_helper_btf_type_vlen(const struct btf_type *type);

/* capability.h */
bool bpf_percpu_helper_bpf_capable(void);

/* cgroup.h, percpu-refcount.h */
bool bpf_percpu_helper_cgroup_is_dying(struct cgroup *cgrp);
u64 bpf_percpu_helper_cgroup_id(struct cgroup *cgrp);

/* irq_work.h */
void bpf_percpu_helper_init_irq_work(struct irq_work *work,
				     void (*func)(struct irq_work *));

/* llist.h */
bool bpf_percpu_helper_llist_add(struct llist_node *node,
				 struct llist_head *head);
struct llist_node *bpf_percpu_helper_llist_del_all(struct llist_head *head);

/* ratelimit.h: whether this module may write another line to the kernel's log */
bool bpf_percpu_helper_ratelimit(void);

/* rcupdate_trace.h */
void bpf_percpu_helper_call_rcu_tasks_trace(
	struct callback_head *head, void (*func)(struct callback_head *));
void bpf_percpu_helper_rcu_barrier_tasks_trace(void);
void bpf_percpu_helper_synchronize_rcu_tasks_trace(void);
#if IS_ENABLED(CONFIG_KUNIT)
void bpf_percpu_helper_rcu_read_lock_trace(void);
void bpf_percpu_helper_rcu_read_unlock_trace(void);
#endif

/* refcount.h */
bool bpf_percpu_helper_refcount_inc_not_zero(refcount_t *refs);

/* asm-generic/rqspinlock.h: *flags is written even if the lock is not taken */
int bpf_percpu_helper_res_spin_lock_irqsave(rqspinlock_t *lock,
					    unsigned long *flags);
void bpf_percpu_helper_res_spin_unlock_irqrestore(rqspinlock_t *lock,
						  unsigned long flags);
#if IS_ENABLED(CONFIG_KUNIT)
int bpf_percpu_helper_res_spin_locks_held(void);
bool bpf_percpu_helper_irqs_disabled(void);
int bpf_percpu_helper_preempt_count(void);
#endif

/* sched.h */
void bpf_percpu_helper_cond_resched(void);

/* tracepoint.h */
void bpf_percpu_helper_tracepoint_synchronize_unregister(void);

/* workqueue.h */
void bpf_percpu_helper_init_work(struct work_struct *work, work_func_t func);
bool bpf_percpu_helper_work_pending(struct work_struct *work);

#endif /* BPF_PERCPU_HELPERS_H */
