// SPDX-License-Identifier: GPL-2.0

#include <linux/btf.h>

#include "helpers.h"

u32 bpf_percpu_helper_btf_type_vlen(const struct btf_type *type)
{
	return btf_type_vlen(type);
}
