// SPDX-License-Identifier: GPL-2.0
/* fentry, fexit and fmod_ret programs, whose arguments are used after the access. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

u32 only SEC(".percpu");
u64 entered SEC(".percpu");
u64 asked_for SEC(".percpu");
u64 left SEC(".percpu.left");
s64 returned SEC(".percpu.left");

static __always_inline bool is_wanted(void)
{
	return bpf_get_current_pid_tgid() >> 32 == only;
}

SEC("fentry/__x64_sys_getpgid")
int BPF_PROG(enter, const struct pt_regs *regs)
{
	if (!is_wanted())
		return 0;
	entered++;
	asked_for = regs->di;
	return 0;
}

SEC("fexit/__x64_sys_getpgid")
int BPF_PROG(leave, const struct pt_regs *regs, long ret)
{
	if (!is_wanted())
		return 0;
	left++;
	returned = ret;
	return 0;
}
