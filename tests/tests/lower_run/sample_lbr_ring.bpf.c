// SPDX-License-Identifier: GPL-2.0
/* samples/lbr_ring with its rings in variables: the last function calls of each CPU. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

#define ENTRIES 64

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val) (*(volatile typeof(x) *)&(x) = (val))

struct entry {
	u64 done;
	u64 ip;
	u64 ts;
	u32 tid;
	u32 kind;
	char comm[16];
	u64 claim;
};

struct ring {
	u64 head; /* number of the newest entry, starting from 1 */
	u64 frozen;
	u64 skipped;
	u64 ts;
	struct entry entries[ENTRIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} dumps SEC(".maps");

char LICENSE[] SEC("license") = "GPL";

u32 only SEC(".percpu");
struct ring ring SEC(".percpu.lbr_ring");
u64 lost SEC(".percpu");

static bool is_wanted(void)
{
	return bpf_get_current_pid_tgid() >> 32 == only;
}

static void record(u64 ip, u32 kind)
{
	struct entry *entry;
	u64 number;

	if (READ_ONCE(ring.frozen)) {
		bpf_percpu_view_add_u64(&ring.skipped, 1);
		return;
	}
	number = bpf_percpu_view_add_return_u64(&ring.head, 1);
	entry = &ring.entries[number & (ENTRIES - 1)];

	WRITE_ONCE(entry->claim, number);
	barrier();
	entry->ip = ip;
	entry->ts = bpf_ktime_get_ns();
	entry->tid = bpf_get_current_pid_tgid();
	entry->kind = kind;
	bpf_get_current_comm(entry->comm, sizeof(entry->comm));
	barrier();
	WRITE_ONCE(entry->done, number);
}

SEC("kprobe/__x64_sys_getppid")
int call(struct pt_regs *ctx)
{
	if (is_wanted())
		record(bpf_get_func_ip(ctx), 0);
	return 0;
}

SEC("kretprobe/__x64_sys_getppid")
int ret(struct pt_regs *ctx)
{
	if (is_wanted())
		record(bpf_get_func_ip(ctx), 1);
	return 0;
}

SEC("fentry/__x64_sys_getpgid")
int dump(void *ctx)
{
	if (!is_wanted())
		return 0;
	bpf_preempt_disable();
	if (!bpf_percpu_view_xchg_u64(&ring.frozen, 1)) {
		ring.ts = bpf_ktime_get_ns();
		if (bpf_ringbuf_output(&dumps, &ring, sizeof(ring), 0))
			lost++;
		WRITE_ONCE(ring.frozen, 0);
	} else {
		lost++;
	}
	bpf_preempt_enable();
	return 0;
}
