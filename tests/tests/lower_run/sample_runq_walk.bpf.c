// SPDX-License-Identifier: GPL-2.0
/* samples/runq_walk with its results in variables: all run queues, as each CPU saw them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define ENOENT 2
#define PF_KTHREAD 0x00200000

#define MAX_QUEUES 64

char LICENSE[] SEC("license") = "GPL";

extern const struct rq runqueues __ksym;

/* What a walk saw of a CPU and its current task. */
struct queue {
	u64 walk; /* number of the last walk */
	u64 switches;
	u64 load;
	u64 capacity;
	u32 running;
	u32 fair;
	u32 idle;
	s32 pid;
	s32 tgid;
	u32 state;
	s32 prio;
	u32 kernel;
	char comm[16];
};

struct queue queues[MAX_QUEUES] SEC(".percpu.runq_walk");
u64 walk SEC(".percpu.newest");
u64 began SEC(".percpu.newest");
u64 ended SEC(".percpu.newest");

static void see_task(struct queue *q, const struct task_struct *curr)
{
	q->pid = curr->pid;
	q->tgid = curr->tgid;
	q->state = curr->__state;
	q->prio = curr->prio;
	q->kernel = !!(curr->flags & PF_KTHREAD);
	bpf_probe_read_kernel_str(q->comm, sizeof(q->comm), curr->comm);
}

/* Without the queue's lock: a value may be from before or after a change. */
static void see(struct queue *q, const struct rq *rq)
{
	const struct task_struct *curr = rq->curr;

	q->running = rq->nr_running;
	if (bpf_core_field_exists(rq->cfs.h_nr_queued))
		q->fair = rq->cfs.h_nr_queued;
	q->switches = rq->nr_switches;
	q->load = rq->cfs.avg.load_avg;
	q->capacity = rq->cpu_capacity;
	q->idle = curr == rq->idle;
	see_task(q, curr);
	q->walk = walk;
}

static int walk_online(void)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, bpf_get_online_cpumask()) {
		u32 n = *cpu;
		const struct rq *rq = bpf_per_cpu_ptr(&runqueues, n);

		if (!rq || n >= MAX_QUEUES)
			return -ENOENT;
		see(&queues[n], rq);
	}
	return 0;
}

SEC("syscall")
int runq_walk(void *ctx)
{
	int err;

	walk++;
	/* Protects the mask and the current tasks of the CPUs. */
	bpf_rcu_read_lock();
	began = bpf_ktime_get_ns();
	err = walk_online();
	ended = bpf_ktime_get_ns();
	bpf_rcu_read_unlock();
	return err;
}
