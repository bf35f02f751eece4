// SPDX-License-Identifier: GPL-2.0

/* rcupdate_trace.h does not include what it uses. */
#include <linux/srcu.h>
#include <linux/rcupdate_trace.h>

#include "helpers.h"

void bpf_percpu_helper_call_rcu_tasks_trace(
	struct callback_head *head, void (*func)(struct callback_head *))
{
	call_rcu_tasks_trace(head, func);
}

void bpf_percpu_helper_rcu_barrier_tasks_trace(void)
{
	rcu_barrier_tasks_trace();
}

void bpf_percpu_helper_synchronize_rcu_tasks_trace(void)
{
	synchronize_rcu_tasks_trace();
}

#if IS_ENABLED(CONFIG_KUNIT)
void bpf_percpu_helper_rcu_read_lock_trace(void)
{
	rcu_read_lock_trace();
}

void bpf_percpu_helper_rcu_read_unlock_trace(void)
{
	rcu_read_unlock_trace();
}
#endif
