// SPDX-License-Identifier: GPL-2.0
/* A kprobe and a kretprobe. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

u32 only SEC(".percpu");
u64 calls SEC(".percpu");
u64 arguments SEC(".percpu");
u64 returns SEC(".percpu.returns");
s64 newest SEC(".percpu.returns") = -1;

SEC("kprobe/__x64_sys_getpgid")
int BPF_KPROBE(enter, const struct pt_regs *user)
{
	if (bpf_get_current_pid_tgid() >> 32 != only)
		return 0;
	calls++;
	arguments += BPF_CORE_READ(user, di);
	return 0;
}

SEC("kretprobe/__x64_sys_getpgid")
int BPF_KRETPROBE(leave, long ret)
{
	if (bpf_get_current_pid_tgid() >> 32 != only)
		return 0;
	returns++;
	newest = ret;
	return 0;
}
