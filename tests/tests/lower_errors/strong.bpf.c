// SPDX-License-Identifier: GPL-2.0
/* The strong definition of a function in weak.bpf.c. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

u64 more SEC(".percpu");

__noinline int overridden(int n)
{
	more += n;
	return 1;
}

__noinline int other(int n)
{
	more += n;
	return 2;
}
