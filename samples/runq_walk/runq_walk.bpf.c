// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define ENOENT 2
#define PF_KTHREAD 0x00200000
#define SCHED_NORMAL 0
#define SCHED_BATCH 3
#define SCHED_IDLE 5
#define UNKNOWN (~0ULL)

char LICENSE[] SEC("license") = "GPL";

extern const struct rq runqueues __ksym;

/* The name of the field before 6.14. */
struct cfs_rq___before_6_14 {
	unsigned int h_nr_running;
} __attribute__((preserve_access_index));

/* Empty without CONFIG_SCHED_INFO. */
struct sched_info___kept {
	unsigned long long last_arrival;
} __attribute__((preserve_access_index));

struct task_struct___informed {
	struct sched_info___kept sched_info;
} __attribute__((preserve_access_index));

/* The state of a CPU and of the task on it. */
struct queue {
	__u64 walk; /* the number of the last walk that read it */
	__u64 ran; /* ns that the task has been on the CPU, or UNKNOWN */
	__u64 idle_for; /* ns, or UNKNOWN */
	__u64 switches;
	__u64 load;
	__u64 util;
	__u64 capacity;
	__u32 running;
	__u32 fair;
	__u32 rt;
	__u32 deadline;
	__u32 ext;
	__u32 idle;
	__s32 pid;
	__s32 tgid;
	__u32 state;
	__u32 policy;
	__s32 prio;
	__s32 nice;
	__u32 rt_priority;
	__u32 kernel;
	char comm[16];
};

/* One for each CPU number. The loader sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct queue);
} queues SEC(".maps");

/* The last walk: its number, and its start and end in ns. */
__u64 walk;
__u64 began;
__u64 ended;

/* A global, so that the skeleton contains the struct. */
struct queue unused;

static __u64 since(__u64 now, __u64 then)
{
	return now > then ? now - then : 0;
}

/*
 * How long @curr has been on @rq's CPU. The queue's clock advances only at
 * scheduler events, which are at most one tick apart while a task runs.
 */
static __u64 time_on_cpu(const struct rq *rq, const struct task_struct *curr,
			 __u64 now)
{
	const struct task_struct___informed *informed = (void *)curr;

	if (bpf_core_field_exists(informed->sched_info.last_arrival))
		return since(now, informed->sched_info.last_arrival);

	switch (curr->policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return since(curr->se.sum_exec_runtime,
			     curr->se.prev_sum_exec_runtime) +
		       since(rq->clock_task, curr->se.exec_start) +
		       since(now, rq->clock);
	default:
		return UNKNOWN;
	}
}

static void see_task(struct queue *q, const struct rq *rq,
		     const struct task_struct *curr, __u64 now)
{
	q->pid = curr->pid;
	q->tgid = curr->tgid;
	q->state = curr->__state;
	q->policy = curr->policy;
	q->prio = curr->prio;
	q->nice = curr->static_prio - 120;
	q->rt_priority = curr->rt_priority;
	q->kernel = !!(curr->flags & PF_KTHREAD);
	bpf_probe_read_kernel_str(q->comm, sizeof(q->comm), curr->comm);
	q->ran = time_on_cpu(rq, curr, now);
}

/* Does not take the queue's lock, so each field may be from before or after a change. */
static void see(struct queue *q, const struct rq *rq)
{
	const struct cfs_rq___before_6_14 *old_cfs = (const void *)&rq->cfs;
	const struct task_struct *curr = rq->curr;
	__u64 now = bpf_ksym_exists(scx_bpf_now) ? scx_bpf_now() : rq->clock;

	q->running = rq->nr_running;
	if (bpf_core_field_exists(rq->cfs.h_nr_queued))
		q->fair = rq->cfs.h_nr_queued;
	else
		q->fair = BPF_CORE_READ(old_cfs, h_nr_running);
	q->rt = rq->rt.rt_nr_running;
	q->deadline = rq->dl.dl_nr_running;
	if (bpf_core_field_exists(rq->scx))
		q->ext = rq->scx.nr_running;
	q->switches = rq->nr_switches;
	q->load = rq->cfs.avg.load_avg;
	q->util = rq->cfs.avg.util_avg;
	q->capacity = rq->cpu_capacity;
	q->idle = curr == rq->idle;
	q->idle_for = q->idle && rq->idle_stamp ? since(now, rq->idle_stamp) :
						  UNKNOWN;
	see_task(q, rq, curr, now);
	q->walk = walk;
}

static int walk_online(void)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, bpf_get_online_cpumask()) {
		__u32 n = *cpu;
		const struct rq *rq = bpf_per_cpu_ptr(&runqueues, n);
		struct queue *q = bpf_map_lookup_elem(&queues, &n);

		if (!rq || !q)
			return -ENOENT;
		see(q, rq);
	}
	return 0;
}

SEC("syscall")
int runq_walk(void *ctx)
{
	int err;

	walk++;
	/* Protects the tasks that are on the CPUs when the walk reads them. */
	bpf_rcu_read_lock();
	began = bpf_ktime_get_ns();
	err = walk_online();
	ended = bpf_ktime_get_ns();
	bpf_rcu_read_unlock();
	return err;
}
