// SPDX-License-Identifier: GPL-2.0
/* Replaces policy() in tails.bpf.c. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "handed.h"

const volatile u32 longest = 1000;

SEC("freplace/policy")
int drop_long(struct xdp_md *ctx)
{
	struct handed *here;

	here = (struct handed *)bpf_percpu_data(handed.id, sizeof(*here));
	here->drop = here->len > longest;
	return 0;
}

char _license[] SEC("license") = "GPL";
