// SPDX-License-Identifier: GPL-2.0

#include <linux/tracepoint.h>

#include "helpers.h"

void bpf_percpu_helper_tracepoint_synchronize_unregister(void)
{
	tracepoint_synchronize_unregister();
}
