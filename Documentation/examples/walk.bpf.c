// SPDX-License-Identifier: GPL-2.0
/* Says which CPUs a task may run on that gives one up. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

SEC("tp_btf/sched_switch")
int walk(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int cpu;

	bpf_for_each_cpu(cpu, task->cpus_ptr)
		bpf_printk("may run on CPU %d", cpu);
	return 0;
}

char _license[] SEC("license") = "GPL";
