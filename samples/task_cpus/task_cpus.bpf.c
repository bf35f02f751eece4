// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define ENOENT 2
#define E2BIG 7
#define ENODEV 19

#define MAX_CPUS 8192
#define MASK_WORDS (MAX_CPUS / 64)

char LICENSE[] SEC("license") = "GPL";

/* Which tasks to show: 0 for any. The pid may be of a process or of a thread. */
const volatile __s32 want_pid;
const volatile __u64 want_cgroup;
const volatile bool want_below;

/*
 * What user space reads from the iterator: for every wanted task a head and
 * masks of @words words, and at the end a head without a task, and masks.
 */
struct head {
	__u64 cgroup;
	__u64 started; /* ns since boot */
	__u64 written; /* in the last head: the number of tasks */
	__u32 words;
	__s32 pid; /* 0 in the last head */
	__s32 tgid;
	__u32 flags;
	__u32 state;
	__u32 exit_state;
	__u32 has_asked;
	__u32 migrate_disabled;
	char comm[16];
};

/* A global, so that the skeleton contains the struct. */
struct head head;

__u64 allowed[MASK_WORDS];
__u64 online[MASK_WORDS]; /* the online ones among them */
__u64 asked[MASK_WORDS];
__u64 unused[MASK_WORDS];

/* A copy of a kernel mask in untrusted memory, which may be shorter. */
struct cpumask copy;

/* Set if the result of the walk is incomplete. */
bool too_many_cpus;
bool cgroup_is_gone;

static __u32 mask_words(void)
{
	__u32 words = (bpf_get_nr_cpu_ids() + 63) / 64;

	if (words > MASK_WORDS) {
		too_many_cpus = true;
		return MASK_WORDS;
	}
	return words;
}

/* Reads the CPUs of @mask, and the online ones among them. */
static void walk(const struct cpumask *mask, __u64 *all, __u64 *up)
{
	__u32 words = mask_words(), i;
	int *cpu;

	bpf_for(i, 0, words)
	{
		if (i >= MASK_WORDS)
			break;
		all[i] = 0;
		up[i] = 0;
	}
	bpf_for_each(cpumask, cpu, mask) {
		__u32 n = *cpu;

		if (n >= MAX_CPUS)
			break;
		all[n / 64] |= 1ULL << (n % 64);
		if (bpf_cpumask_test_cpu(n, bpf_get_online_cpumask()))
			up[n / 64] |= 1ULL << (n % 64);
	}
}

/* A mask has only the words that the kernel uses, whatever its type says. */
static int walk_copy(const void *mask, __u64 *all, __u64 *up)
{
	__u32 size = mask_words() * sizeof(__u64);
	int err;

	if (size > sizeof(copy))
		return -E2BIG;
	err = bpf_probe_read_kernel(&copy, size, mask);
	if (!err)
		walk(&copy, all, up);
	return err;
}

/*
 * Reads the CPUs that sched_setaffinity() requested for @task, if the kernel
 * still has them. The kernel may replace the mask and free the old one at any
 * time. If the pointer has not changed, the copy is valid.
 */
static bool walk_asked(const struct task_struct *task)
{
	const struct cpumask *mask;
	int i;

	bpf_for(i, 0, 100)
	{
		mask = task->user_cpus_ptr;
		if (!mask)
			return false;
		if (!walk_copy(mask, asked, unused) &&
		    mask == task->user_cpus_ptr)
			return true;
	}
	return false;
}

static bool is_in_cgroup(struct task_struct *task)
{
	struct cgroup *cgrp = bpf_cgroup_from_id(want_cgroup);
	bool is_in;

	if (!cgrp) {
		cgroup_is_gone = true;
		return false;
	}
	if (want_below)
		is_in = bpf_task_under_cgroup(task, cgrp) == 1;
	else
		is_in = task->cgroups->dfl_cgrp == cgrp;
	bpf_cgroup_release(cgrp);
	return is_in;
}

static bool is_wanted(struct task_struct *task)
{
	if (want_pid && task->pid != want_pid && task->tgid != want_pid)
		return false;
	return !want_cgroup || is_in_cgroup(task);
}

/*
 * If the record of a task does not fit into the buffer of a read(), the next
 * read() visits the task again with the same number, unless it is gone by then.
 */
__u64 written;
__u64 last_number;
bool again;

static void begin(__u64 number)
{
	if (!written || number != last_number)
		written++;
	last_number = number;
}

static int write_masks(struct seq_file *seq, __u32 size)
{
	int err;

	if (size > sizeof(allowed))
		return -E2BIG;
	err = bpf_seq_write(seq, allowed, size);
	err = err ?: bpf_seq_write(seq, online, size);
	return err ?: bpf_seq_write(seq, asked, size);
}

SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	__u32 size = mask_words() * sizeof(__u64);
	int err;

	__builtin_memset(&head, 0, sizeof(head));
	head.words = mask_words();
	if (!task) {
		head.written = written - again;
		walk(bpf_get_online_cpumask(), allowed, online);
		bpf_seq_write(seq, &head, sizeof(head));
		write_masks(seq, size);
		return 0;
	}
	if (!is_wanted(task))
		return 0;

	begin(ctx->meta->seq_num);
	head.pid = task->pid;
	head.tgid = task->tgid;
	head.flags = task->flags;
	head.state = task->__state;
	head.exit_state = task->exit_state;
	head.started = task->start_boottime;
	head.cgroup = task->cgroups->dfl_cgrp->kn->id;
	/* While a task may not migrate, cpus_ptr points to another mask. */
	head.migrate_disabled = task->cpus_ptr != &task->cpus_mask;
	head.has_asked = walk_asked(task);
	bpf_probe_read_kernel_str(head.comm, sizeof(head.comm), task->comm);
	walk(&task->cpus_mask, allowed, online);

	err = bpf_seq_write(seq, &head, sizeof(head));
	err = err ?: write_masks(seq, size);
	again = !!err;
	return 0;
}

/* Kernels in which cpumask_var_t is not a pointer. */
struct cpuset___in_place {
	struct cpumask cpus_allowed[1];
	struct cpumask effective_cpus[1];
} __attribute__((preserve_access_index));

/* The cgroup to look at, and the cgroup whose cpuset it uses. */
__u64 cgroup;
__u64 cpuset_cgroup;
__u32 cpuset_level;

static int walk_cpuset(const struct cpuset *cs)
{
	const struct cpuset___in_place *in_place = (const void *)cs;
	const void *configured, *effective;

	if (bpf_core_field_exists(cs->effective_cpus)) {
		configured = BPF_CORE_READ(cs, cpus_allowed);
		effective = BPF_CORE_READ(cs, effective_cpus);
	} else {
		configured = &in_place->cpus_allowed;
		effective = &in_place->effective_cpus;
	}
	return walk_copy(configured, asked, unused) ?:
		       walk_copy(effective, allowed, online);
}

/* Returns 1 if @cgrp has its own cpuset, 0 if not, or a negative errno. */
static int look_at(struct cgroup *cgrp)
{
	int id = bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id);
	void *css = NULL;
	int err;

	err = bpf_probe_read_kernel(&css, sizeof(css), &cgrp->subsys[id]);
	if (err || !css)
		return err;
	cpuset_cgroup = cgrp->kn->id;
	cpuset_level = cgrp->level;
	return walk_cpuset(css - bpf_core_field_offset(struct cpuset, css)) ?:
									      1;
}

/* A cgroup without a cpuset uses that of the closest ancestor that has one. */
static int look_up(struct cgroup *cgrp)
{
	struct cgroup *up;
	int i, found = 0;

	if (!bpf_core_type_exists(struct cpuset))
		return -ENODEV;

	bpf_for(i, 0, cgrp->level + 1)
	{
		up = bpf_cgroup_ancestor(cgrp, cgrp->level - i);
		if (!up)
			return -ENODEV;
		found = look_at(up);
		bpf_cgroup_release(up);
		if (found)
			return found;
	}
	return -ENODEV;
}

/* -ENOENT if the cgroup is gone, -ENODEV if the kernel has no cpusets. */
SEC("syscall")
int walk_cgroup(void *ctx)
{
	struct cgroup *cgrp = bpf_cgroup_from_id(cgroup);
	int found;

	if (!cgrp)
		return -ENOENT;
	bpf_rcu_read_lock();
	found = look_up(cgrp);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(cgrp);
	return found < 0 ? found : 0;
}
