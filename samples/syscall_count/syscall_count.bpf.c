// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* More than there are, and what has no number of these. */
#define SYSCALLS 512

struct counts {
	__u64 calls[SYSCALLS];
	__u64 others;
};

BPF_PERCPU_STORE(counts, "syscall_count", struct counts);

char LICENSE[] SEC("license") = "GPL";

/* Calls that could not be counted. */
__u64 lost;

/*
 * On the functions __x64_sys_*, each of which gets the user's registers. Such
 * programs run with preemption off. Those on raw_tp/sys_enter do not: while one
 * is preempted, the kernel leaves it out for all other tasks on that CPU.
 */
SEC("kprobe.multi")
int BPF_KPROBE(count, const struct pt_regs *user)
{
	__u64 nr = BPF_CORE_READ(user, orig_ax);

	if (nr > SYSCALLS)
		nr = SYSCALLS;
	if (bpf_percpu_id_add_u64(counts.id, nr * sizeof(__u64), 1))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}
