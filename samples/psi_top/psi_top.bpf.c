// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the pressure of each cgroup on each CPU that its tasks may use.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define ENOENT 2
#define ENOTSUP 95
#define S64_MIN ((s64)(1ULL << 63))

#define MASK_WORDS (sizeof(struct cpumask) / sizeof(u64))

char LICENSE[] SEC("license") = "GPL";

/*
 * How long the tasks of a cgroup were in each state on a CPU: in ns, modulo
 * 2^32. struct Record in src/bpf.rs.
 */
struct record {
	u64 cgroup; /* its id */
	u32 cpu;
	u32 torn; /* the times are not a consistent snapshot */
	u32 nonidle;
	u32 some[3], full[3]; /* of CPU, memory, IO */
};

/* The loader sets the size by the number of cgroups. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

/* The id of the cgroup where the walk starts. */
u64 root_id;

/* Records that did not fit into the ring buffer. */
u64 dropped;

/* Cgroups for which the kernel keeps no times. */
u64 without_psi;

/* The CPUs of the current cgroup, and a mask that is read from the kernel. */
struct cpumask cpus, mask;

/* Odd while the scheduler updates the times of a CPU. */
extern const struct seqcount psi_seq __ksym;
extern const struct rq runqueues __ksym;

/* How far the scheduler's clock is ahead of ktime. */
s64 clock_ahead;

/*
 * A run queue's clock is as old as the last scheduler event on its CPU. The
 * newest one is the best estimate: the scheduler has just switched to the
 * current task on this CPU.
 */
static void see_clock(void)
{
	const struct rq *rq;
	int *cpu;
	s64 ahead;

	clock_ahead = S64_MIN;
	bpf_for_each(cpumask, cpu, bpf_get_online_cpumask()) {
		rq = bpf_per_cpu_ptr(&runqueues, *cpu);
		if (!rq)
			continue;
		ahead = rq->clock - bpf_ktime_get_ns();
		if (ahead > clock_ahead)
			clock_ahead = ahead;
	}
}

/* How long the group was in a state, including the current period. */
#define TIME(psi, name, since)                                             \
	({                                                                 \
		u32 state = bpf_core_enum_value(enum psi_states, name);    \
		(psi)->times[state] +                                      \
			((psi)->state_mask & (1U << state) ? (since) : 0); \
	})

static void read_times(struct record *r,
		       const volatile struct psi_group_cpu *psi)
{
	s64 since = bpf_ktime_get_ns() + clock_ahead - psi->state_start;

	if (since < 0)
		since = 0;
	r->nonidle = TIME(psi, PSI_NONIDLE, since);
	r->some[0] = TIME(psi, PSI_CPU_SOME, since);
	r->full[0] = TIME(psi, PSI_CPU_FULL, since);
	r->some[1] = TIME(psi, PSI_MEM_SOME, since);
	r->full[1] = TIME(psi, PSI_MEM_FULL, since);
	r->some[2] = TIME(psi, PSI_IO_SOME, since);
	r->full[2] = TIME(psi, PSI_IO_FULL, since);
}

/* An atomic operation with a result orders loads on all architectures. */
static void keep_order(void)
{
	static u64 nothing;
	u64 was = __sync_fetch_and_add(&nothing, 0);

	barrier_var(was);
}

/* Enough for an update, which takes about 100 ns for each level of the cgroup. */
#define TRIES 1000

/* Returns false if the CPU updated the times during every try. */
static bool read_consistently(struct record *r,
			      const volatile struct psi_group_cpu *psi)
{
	const volatile struct seqcount *seq = bpf_per_cpu_ptr(&psi_seq, r->cpu);

	if (!seq)
		return false;
	bpf_repeat(TRIES)
	{
		u32 before = seq->sequence;

		if (before & 1)
			continue;
		keep_order();
		read_times(r, psi);
		keep_order();
		if (seq->sequence == before)
			return true;
	}
	return false;
}

static int take(struct cgroup *cgrp, u32 cpu)
{
	const struct psi_group_cpu *psi = bpf_cgroup_psi_cpu(cgrp, cpu);
	struct record *r;

	if (!psi)
		return -ENOTSUP;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		dropped++;
		return 0;
	}
	r->cgroup = cgrp->kn->id;
	r->cpu = cpu;
	r->torn = !read_consistently(r, psi);
	/* The kernel has no full CPU pressure of the system: /proc/pressure/cpu. */
	if (!cgrp->level)
		r->full[0] = 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static u32 words(void)
{
	u32 words = (bpf_get_nr_cpu_ids() + 63) / 64;

	return words < MASK_WORDS ? words : MASK_WORDS;
}

/* Intersects cpus with mask, unless the result would be empty. */
static void restrict_cpus(void)
{
	u64 common = 0;
	u32 i;

	bpf_for(i, 0, words())
	{
		if (i < MASK_WORDS)
			common |= cpus.bits[i] & mask.bits[i];
	}
	if (!common)
		return;
	bpf_for(i, 0, words())
	{
		if (i < MASK_WORDS)
			cpus.bits[i] &= mask.bits[i];
	}
}

static int read_mask(struct cpumask *to, const struct cpumask *from)
{
	u32 bytes = words() * sizeof(u64);

	if (bytes > sizeof(*to))
		return -ENOENT;
	return bpf_probe_read_kernel(to, bytes, from);
}

/*
 * The CPUs that cpusets allow the tasks of a cgroup, including offline CPUs:
 * what effective_cpus would be without hotplug.
 */
static int find_cpus(struct cgroup *cgrp)
{
	u32 id = bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id);
	int level, err;

	err = read_mask(&cpus, bpf_get_possible_cpumask());
	bpf_for(level, 1, cgrp->level + 1)
	{
		struct cgroup *ancestor = bpf_cgroup_ancestor(cgrp, level);
		struct cgroup_subsys_state *css;
		struct cpuset *set;

		if (!ancestor)
			break;
		css = ancestor->subsys[id];
		set = css ? bpf_core_cast(css, struct cpuset) : NULL;
		if (set && set->partition_root_state > 0) {
			/* Its own CPUs, and those of partitions below it. */
			err = err ?: read_mask(&cpus, set->effective_xcpus);
		} else if (set) {
			err = err ?: read_mask(&mask, set->cpus_allowed);
			restrict_cpus();
		}
		bpf_cgroup_release(ancestor);
	}
	return err;
}

static void look_at(struct cgroup *cgrp)
{
	int *cpu;

	/* The cgroup has been removed, but is not freed yet. */
	if (!(cgrp->self.flags & CSS_ONLINE))
		return;
	if (find_cpus(cgrp))
		return;
	bpf_for_each(cpumask, cpu, &cpus) {
		if (take(cgrp, *cpu)) {
			without_psi++;
			break;
		}
	}
}

/* Visits the cgroup and its descendants. */
SEC("syscall")
int psi_top(void *ctx)
{
	struct cgroup_subsys_state *css;
	struct cgroup *root;

	dropped = 0;
	without_psi = 0;
	root = bpf_cgroup_from_id(root_id);
	if (!root)
		return -ENOENT;
	bpf_rcu_read_lock();
	see_clock();
	bpf_for_each(css, css, &root->self, BPF_CGROUP_ITER_DESCENDANTS_PRE)
		look_at(css->cgroup);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(root);
	return 0;
}
