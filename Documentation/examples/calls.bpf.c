// SPDX-License-Identifier: GPL-2.0
/* System calls, and how many of the last calls came from the same thread. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct totals {
	u64 last;
	u64 in_a_row;
};

u64 calls SEC(".percpu");
struct totals totals SEC(".percpu.totals");

SEC("raw_tp/sys_enter")
int on_enter(void *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();

	calls += 1;
	totals.in_a_row = thread == totals.last ? totals.in_a_row + 1 : 1;
	totals.last = thread;
	return 0;
}
