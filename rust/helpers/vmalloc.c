// SPDX-License-Identifier: GPL-2.0

#include <linux/vmalloc.h>

#include "helpers.h"

void *bpf_percpu_helper_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}
