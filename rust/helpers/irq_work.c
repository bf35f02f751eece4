// SPDX-License-Identifier: GPL-2.0

#include <linux/irq_work.h>

#include "helpers.h"

void bpf_percpu_helper_init_irq_work(struct irq_work *work,
				     void (*func)(struct irq_work *))
{
	*work = IRQ_WORK_INIT_HARD(func);
}
