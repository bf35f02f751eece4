// SPDX-License-Identifier: GPL-2.0

#include <linux/irqflags.h>
#include <linux/preempt.h>

/* rqspinlock.h does not include what it uses. */
#include <linux/mm_types.h>
#include <asm/rqspinlock.h>

#include "helpers.h"

int bpf_percpu_helper_res_spin_lock_irqsave(rqspinlock_t *lock,
					    unsigned long *flags)
{
	unsigned long saved;
	int ret = raw_res_spin_lock_irqsave(lock, saved);

	*flags = saved;
	return ret;
}

void bpf_percpu_helper_res_spin_unlock_irqrestore(rqspinlock_t *lock,
						  unsigned long flags)
{
	raw_res_spin_unlock_irqrestore(lock, flags);
}

#if IS_ENABLED(CONFIG_KUNIT)
/* The number of locks that this CPU holds or waits for. */
int bpf_percpu_helper_res_spin_locks_held(void)
{
	return this_cpu_read(rqspinlock_held_locks.cnt);
}

bool bpf_percpu_helper_irqs_disabled(void)
{
	return irqs_disabled();
}

int bpf_percpu_helper_preempt_count(void)
{
	return preempt_count();
}
#endif
