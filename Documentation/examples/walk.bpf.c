// SPDX-License-Identifier: GPL-2.0
/* Prints the CPUs that a task may run on when it gives up its CPU. */
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
