// SPDX-License-Identifier: GPL-2.0
/* samples/task_cpus with its output in variables: the CPUs that tasks may use. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define E2BIG 7

#define MAX_CPUS 2048
#define MASK_WORDS (MAX_CPUS / 64)

char LICENSE[] SEC("license") = "GPL";

/* A head and two masks of @words words for each selected task, and at the end. */
struct head {
	u64 cgroup;
	u64 written; /* at the end: number of tasks */
	u32 words;
	s32 pid; /* 0 at the end */
	s32 tgid;
	u32 state;
	char comm[16];
};

s32 want_pid SEC(".percpu");

struct head head SEC(".percpu.task_cpus");
u64 allowed[MASK_WORDS] SEC(".percpu.task_cpus");
u64 online[MASK_WORDS] SEC(".percpu.task_cpus"); /* of them */

u64 written SEC(".percpu.written");
bool too_many_cpus SEC(".percpu.written");

static u32 mask_words(void)
{
	u32 words = (bpf_get_nr_cpu_ids() + 63) / 64;

	if (words > MASK_WORDS) {
		too_many_cpus = true;
		return MASK_WORDS;
	}
	return words;
}

/* Stores the CPUs of @mask, and those of them that are online. */
static void walk(const struct cpumask *mask, u64 *all, u64 *up)
{
	u32 words = mask_words(), i;
	int *cpu;

	bpf_for(i, 0, words)
	{
		if (i >= MASK_WORDS)
			break;
		all[i] = 0;
		up[i] = 0;
	}
	bpf_for_each(cpumask, cpu, mask) {
		u32 n = *cpu;

		if (n >= MAX_CPUS)
			break;
		all[n / 64] |= 1ULL << (n % 64);
		if (bpf_cpumask_test_cpu(n, bpf_get_online_cpumask()))
			up[n / 64] |= 1ULL << (n % 64);
	}
}

static int write_masks(struct seq_file *seq, u32 size)
{
	int err;

	/* Separate checks, so that the verifier knows the bound of each. */
	barrier_var(size);
	if (size > sizeof(allowed))
		return -E2BIG;
	err = bpf_seq_write(seq, allowed, size);
	return err ?: bpf_seq_write(seq, online, size);
}

SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	u32 size = mask_words() * sizeof(u64);

	__builtin_memset(&head, 0, sizeof(head));
	head.words = mask_words();
	if (!task) {
		head.written = written;
		walk(bpf_get_online_cpumask(), allowed, online);
		bpf_seq_write(seq, &head, sizeof(head));
		write_masks(seq, size);
		return 0;
	}
	if (want_pid && task->pid != want_pid && task->tgid != want_pid)
		return 0;
	written++;
	head.pid = task->pid;
	head.tgid = task->tgid;
	head.state = task->__state;
	head.cgroup = task->cgroups->dfl_cgrp->kn->id;
	bpf_probe_read_kernel_str(head.comm, sizeof(head.comm), task->comm);
	walk(&task->cpus_mask, allowed, online);
	bpf_seq_write(seq, &head, sizeof(head));
	write_masks(seq, size);
	return 0;
}
