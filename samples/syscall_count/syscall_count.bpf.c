// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* More than the kernel has. Higher numbers are counted as others. */
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
 * Attached to the functions __x64_sys_*, which take the user's registers. kprobe
 * programs run with preemption disabled. Programs on raw_tp/sys_enter do not:
 * while one is preempted, the kernel skips it for all other tasks on that CPU.
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
