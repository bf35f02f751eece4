// SPDX-License-Identifier: GPL-2.0
/* A program with the name of the one that lowering adds. */
#include "snippet.h"

int count SEC(".percpu");

SEC("syscall")
int bpf_percpu_hold(void *ctx)
{
	count += 1;
	return 0;
}
