// SPDX-License-Identifier: GPL-2.0
/* The same walk in programs of many types: once, in the first run of each. */
#include "seen.h"

static __always_inline void look(void)
{
	if (__sync_val_compare_and_swap(&seen[2].steps, 0, 1))
		return;
	walk(&seen[0], bpf_get_possible_cpumask());
	walk(&seen[1], bpf_get_online_cpumask());
	__sync_lock_test_and_set(&seen[2].next, 1);
}

SEC("?xdp")
int xdp(struct xdp_md *ctx)
{
	look();
	return XDP_PASS;
}

SEC("?tc")
int tc(struct __sk_buff *ctx)
{
	look();
	return 0;
}

SEC("?cgroup_skb/ingress")
int cgroup_skb(struct __sk_buff *ctx)
{
	look();
	return 1;
}

SEC("?kprobe/__x64_sys_getpgid")
int kprobe(struct pt_regs *ctx)
{
	look();
	return 0;
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(tp_btf, struct pt_regs *regs, long id)
{
	look();
	return 0;
}

SEC("?raw_tp/sys_enter")
int raw_tp(void *ctx)
{
	look();
	return 0;
}

SEC("?fentry/__x64_sys_getpgid")
int BPF_PROG(fentry, struct pt_regs *regs)
{
	look();
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(lsm, struct file *file)
{
	look();
	return 0;
}

SEC("?perf_event")
int perf_event(struct bpf_perf_event_data *ctx)
{
	look();
	return 0;
}

SEC("?syscall")
int syscall(void *ctx)
{
	bpf_rcu_read_lock();
	look();
	bpf_rcu_read_unlock();
	return 0;
}
