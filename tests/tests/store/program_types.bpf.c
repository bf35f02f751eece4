// SPDX-License-Identifier: GPL-2.0
/* Programs of many types. Each counts once, in its first run. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* The layout of the store, as in program_types.rs. */
struct counts {
	u64 by_id;
	u64 by_handle;
	u64 by_reference;
	u64 on_view;
	u64 on_data;
};

/* struct Counted in program_types.rs. */
struct {
	u32 id;
	u32 started;
	u32 done; /* the CPU plus one */
	u32 missing; /* stores and views that were not found */
} counted = {};

static __always_inline void count_by_reference(struct bpf_percpu_store *s)
{
	struct bpf_percpu_store *found =
		bpf_percpu_store_lookup("program_types");
	struct bpf_percpu_store *owned = bpf_percpu_store_acquire(s);

	if (found) {
		bpf_percpu_add_u64(found, offsetof(struct counts, by_reference),
				   2);
		bpf_percpu_store_release(found);
	}
	if (owned) {
		bpf_percpu_add_u64(owned, offsetof(struct counts, by_reference),
				   1);
		bpf_percpu_store_release(owned);
	}
	counted.missing += !found + !owned;
}

static __always_inline void count(void)
{
	struct bpf_percpu_store *s;
	struct counts *view;

	if (__sync_val_compare_and_swap(&counted.started, 0, 1))
		return;
	bpf_percpu_id_add_u64(counted.id, offsetof(struct counts, by_id), 1);
	view = (struct counts *)bpf_percpu_data(counted.id, sizeof(*view));
	bpf_percpu_view_add_u64(&view->on_data, 1);
	s = bpf_percpu_store_get(counted.id);
	if (s) {
		bpf_percpu_add_u64(s, offsetof(struct counts, by_handle), 1);
		view = (struct counts *)bpf_percpu_store_this_cpu(
			s, 0, sizeof(*view));
		if (view)
			bpf_percpu_view_add_u64(&view->on_view, 1);
		counted.missing += !view;
		count_by_reference(s);
	}
	counted.missing += !s;
	__sync_lock_test_and_set(&counted.done, bpf_get_smp_processor_id() + 1);
}

SEC("?xdp")
int xdp(struct xdp_md *ctx)
{
	count();
	return XDP_PASS;
}

SEC("?tc")
int tc(struct __sk_buff *ctx)
{
	count();
	return 0;
}

SEC("?cgroup_skb/ingress")
int cgroup_skb(struct __sk_buff *ctx)
{
	count();
	return 1;
}

SEC("?kprobe/__x64_sys_getpgid")
int kprobe(struct pt_regs *ctx)
{
	count();
	return 0;
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(tp_btf, struct pt_regs *regs, long id)
{
	count();
	return 0;
}

SEC("?raw_tp/sys_enter")
int raw_tp(void *ctx)
{
	count();
	return 0;
}

SEC("?fentry/__x64_sys_getpgid")
int BPF_PROG(fentry, struct pt_regs *regs)
{
	count();
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(lsm, struct file *file)
{
	count();
	return 0;
}

SEC("?perf_event")
int perf_event(struct bpf_perf_event_data *ctx)
{
	count();
	return 0;
}

SEC("?syscall")
int syscall(void *ctx)
{
	bpf_rcu_read_lock();
	count();
	bpf_rcu_read_unlock();
	return 0;
}
