// SPDX-License-Identifier: GPL-2.0
/* Functions whose first instruction has a CO-RE relocation. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

u64 reads SEC(".percpu");
u32 tgid SEC(".percpu.task");
u32 pid SEC(".percpu.task");
u64 flags SEC(".percpu.task");

static __noinline int pid_of(const struct task_struct *task)
{
	int seen = task->pid;

	reads++;
	return seen;
}

static __noinline int tgid_of(const struct task_struct *task)
{
	int seen = BPF_CORE_READ(task, group_leader, tgid);

	reads += 10;
	return seen;
}

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();

	pid = pid_of(current);
	tgid = tgid_of(current);
	flags = current->flags;
	return 0;
}
