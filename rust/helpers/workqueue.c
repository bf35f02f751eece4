// SPDX-License-Identifier: GPL-2.0

#include <linux/workqueue.h>

#include "helpers.h"

void bpf_percpu_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

bool bpf_percpu_helper_work_pending(struct work_struct *work)
{
	return work_pending(work);
}
