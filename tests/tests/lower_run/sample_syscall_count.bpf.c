// SPDX-License-Identifier: GPL-2.0
/* samples/syscall_count with its counters in variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

#define SYSCALLS 512

char LICENSE[] SEC("license") = "GPL";

u32 only SEC(".percpu");
u64 calls[SYSCALLS] SEC(".percpu.syscall_count");
u64 others SEC(".percpu.syscall_count");

SEC("kprobe.multi")
int BPF_KPROBE(count, const struct pt_regs *user)
{
	u64 nr = BPF_CORE_READ(user, orig_ax);

	if (bpf_get_current_pid_tgid() >> 32 != only)
		return 0;
	if (nr < SYSCALLS)
		bpf_percpu_view_add_u64(&calls[nr], 1);
	else
		bpf_percpu_view_add_u64(&others, 1);
	return 0;
}
