// SPDX-License-Identifier: GPL-2.0
/* A congestion control that counts its users. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

u32 only SEC(".percpu");
u64 inits SEC(".percpu");
u64 releases SEC(".percpu.releases");
u64 acks SEC(".percpu");

SEC("struct_ops")
void BPF_PROG(count_init, struct sock *sk)
{
	if (bpf_get_current_pid_tgid() >> 32 == only)
		inits++;
}

SEC("struct_ops")
void BPF_PROG(count_release, struct sock *sk)
{
	if (bpf_get_current_pid_tgid() >> 32 == only)
		releases++;
}

SEC("struct_ops")
u32 BPF_PROG(ssthresh, struct sock *sk)
{
	return 10;
}

SEC("struct_ops")
void BPF_PROG(cong_avoid, struct sock *sk, u32 ack, u32 acked)
{
	acks += acked;
}

SEC("struct_ops")
u32 BPF_PROG(undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops counting = {
	.init = (void *)count_init,
	.release = (void *)count_release,
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "percpu_counting",
};
