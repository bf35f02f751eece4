// SPDX-License-Identifier: GPL-2.0
/* A raw tracepoint, with and without BTF. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

/* __NR_getpgid */
#define GETPGID 121

u32 only SEC(".percpu");
u64 typed SEC(".percpu");
u64 raw SEC(".percpu.raw");
u64 arguments SEC(".percpu.raw");

SEC("tp_btf/sys_enter")
int BPF_PROG(enter_typed, struct pt_regs *regs, long id)
{
	if (bpf_get_current_pid_tgid() >> 32 == only && id == GETPGID)
		typed += regs->di;
	return 0;
}

SEC("raw_tp/sys_enter")
int enter_raw(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (void *)ctx->args[0];

	if (bpf_get_current_pid_tgid() >> 32 != only || ctx->args[1] != GETPGID)
		return 0;
	raw++;
	arguments += BPF_CORE_READ(regs, di);
	return 0;
}
