// SPDX-License-Identifier: GPL-2.0
/* Reads the kernel's per-CPU pressure data of cgroups. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* struct Call in call.rs. */
struct call {
	u64 cgroup; /* its id */
	u64 base; /* a per-CPU address */
	u64 addr; /* the result of bpf_percpu_ptr() */
	u64 state_start;
	u32 times[NR_PSI_STATES];
	u32 tasks[NR_PSI_TASK_COUNTS];
	u32 state_mask;
	u32 cpu;
};

#define NO_CGROUP 1
#define NO_PSI 2

/* Per-CPU variables of the kernel that the verifier knows. */
extern const struct psi_group_cpu system_group_pcpu __ksym;

/* The kernel may change it meanwhile, so each field is read once. */
static __always_inline int copy(struct call *c,
				const volatile struct psi_group_cpu *from)
{
	int i;

	for (i = 0; i < NR_PSI_STATES; i++)
		c->times[i] = from->times[i];
	for (i = 0; i < NR_PSI_TASK_COUNTS; i++)
		c->tasks[i] = from->tasks[i];
	c->state_mask = from->state_mask;
	c->state_start = from->state_start;
	return 0;
}

SEC("?syscall")
int by_kfunc(struct call *c)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = NO_PSI;

	cgrp = bpf_cgroup_from_id(c->cgroup);
	if (!cgrp)
		return NO_CGROUP;
	bpf_rcu_read_lock();
	psi = bpf_cgroup_psi_cpu(cgrp, c->cpu);
	if (psi)
		ret = copy(c, psi);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(cgrp);
	return ret;
}

/* Other per-CPU pointers of the kernel. */
SEC("?syscall")
int by_pointer(struct call *c)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;

	cgrp = bpf_cgroup_from_id(c->cgroup);
	if (!cgrp)
		return NO_CGROUP;
	c->base = (u64)cgrp->psi->pcpu;
	c->addr = (u64)bpf_percpu_ptr(cgrp->psi->pcpu, c->cpu);
	bpf_cgroup_release(cgrp);
	if (!c->addr)
		return NO_PSI;
	psi = bpf_core_cast((void *)c->addr, struct psi_group_cpu);
	return copy(c, psi);
}

/* bpf_percpu_ptr() with any number. */
SEC("?syscall")
int any_pointer(struct call *c)
{
	c->addr = (u64)bpf_percpu_ptr((void *)c->base, c->cpu);
	return 0;
}

/* The control: the PSI of the system, which BPF can read without the module. */
SEC("?syscall")
int by_variable(struct call *c)
{
	const struct psi_group_cpu *psi;

	psi = bpf_per_cpu_ptr(&system_group_pcpu, c->cpu);
	return psi ? copy(c, psi) : NO_PSI;
}

struct kept {
	struct cgroup __kptr *cgrp;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} kptrs SEC(".maps");

/* Keeps a reference to a cgroup. */
SEC("?syscall")
int keep(struct call *c)
{
	struct cgroup *cgrp, *old;
	struct kept *kept;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return -1;
	cgrp = bpf_cgroup_from_id(c->cgroup);
	if (!cgrp)
		return NO_CGROUP;
	old = bpf_kptr_xchg(&kept->cgrp, cgrp);
	if (old)
		bpf_cgroup_release(old);
	return 0;
}

SEC("?syscall")
int by_kptr(struct call *c)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	struct kept *kept;
	int ret = NO_PSI;
	u32 key = 0;

	kept = bpf_map_lookup_elem(&kptrs, &key);
	if (!kept)
		return -1;
	bpf_rcu_read_lock();
	cgrp = kept->cgrp;
	if (cgrp) {
		psi = bpf_cgroup_psi_cpu(cgrp, c->cpu);
		if (psi)
			ret = copy(c, psi);
	}
	bpf_rcu_read_unlock();
	return ret;
}

/* How often there was PSI to read; struct Seen in groups.rs. */
struct seen {
	u64 made; /* of a cgroup that is being created */
	u64 found; /* of one that was found */
	u64 removed; /* of one that is being removed */
	u64 nothing; /* how often there was none */
	u64 total; /* the sum, so that it is read */
} seen;

static __always_inline void see(struct cgroup *cgrp, u64 *count)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, bpf_get_possible_cpumask()) {
		const struct psi_group_cpu *psi =
			bpf_cgroup_psi_cpu(cgrp, *cpu);

		if (psi)
			__sync_fetch_and_add(&seen.total, psi->state_start);
		__sync_fetch_and_add(psi ? count : &seen.nothing, 1);
	}
}

SEC("?tp_btf/cgroup_mkdir")
int BPF_PROG(mkdir, struct cgroup *cgrp)
{
	see(cgrp, &seen.made);
	return 0;
}

SEC("?tp_btf/cgroup_rmdir")
int BPF_PROG(rmdir, struct cgroup *cgrp)
{
	see(cgrp, &seen.removed);
	return 0;
}

/* All cgroups below one, while they are created and removed. */
SEC("?syscall")
int walk(struct call *c)
{
	struct cgroup_subsys_state *css;
	struct cgroup *top;

	top = bpf_cgroup_from_id(c->cgroup);
	if (!top)
		return NO_CGROUP;
	bpf_rcu_read_lock();
	bpf_for_each(css, css, &top->self, BPF_CGROUP_ITER_DESCENDANTS_PRE)
		see(css->cgroup, &seen.found);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(top);
	return 0;
}
