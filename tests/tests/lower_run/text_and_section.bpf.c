// SPDX-License-Identifier: GPL-2.0
/* A subprogram that is called from programs in two sections and from another subprogram. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 bumps SEC(".percpu");
u64 by_tc SEC(".percpu");
u64 by_xdp SEC(".percpu.xdp");

static __noinline int bump(int by)
{
	bumps += by;
	return by + 1;
}

/* Uses no variable itself. */
static __noinline int bump_twice(int by)
{
	return bump(by) + bump(by);
}

SEC("tc")
int from_tc(struct __sk_buff *skb)
{
	int ret = bump(1) + bump_twice(10);

	by_tc += ret;
	return 0;
}

SEC("xdp")
int from_xdp(struct xdp_md *xdp)
{
	int ret = bump_twice(100);

	by_xdp += ret;
	return XDP_PASS;
}
