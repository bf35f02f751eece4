// SPDX-License-Identifier: GPL-2.0

#include <linux/capability.h>

#include "helpers.h"

bool bpf_percpu_helper_bpf_capable(void)
{
	return bpf_capable();
}
