// SPDX-License-Identifier: GPL-2.0
/* samples/psi_top with its masks and counters in variables: the times of a cgroup on each CPU. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define ENOENT 2
#define ENOTSUP 95

#define MASK_WORDS (sizeof(struct cpumask) / sizeof(u64))

char LICENSE[] SEC("license") = "GPL";

struct record {
	u64 cgroup;
	u32 cpu;
	u32 nonidle;
	u32 some[3]; /* of CPU, memory, IO */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

u64 root_id SEC(".percpu") = 1;
u64 dropped SEC(".percpu.psi_top");
u64 without_psi SEC(".percpu.psi_top");
u64 cgroups SEC(".percpu.psi_top");

/* The CPUs of the current cgroup, and a mask that is read from the kernel. */
struct cpumask cpus SEC(".percpu.masks");
struct cpumask mask SEC(".percpu.masks");

#define TIME(psi, name) \
	((psi)->times[bpf_core_enum_value(enum psi_states, name)])

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
	r->nonidle = TIME(psi, PSI_NONIDLE);
	r->some[0] = TIME(psi, PSI_CPU_SOME);
	r->some[1] = TIME(psi, PSI_MEM_SOME);
	r->some[2] = TIME(psi, PSI_IO_SOME);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static u32 words(void)
{
	u32 words = (bpf_get_nr_cpu_ids() + 63) / 64;

	return words < MASK_WORDS ? words : MASK_WORDS;
}

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
		if (set) {
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

	cgroups++;
	if (find_cpus(cgrp))
		return;
	bpf_for_each(cpumask, cpu, &cpus) {
		if (take(cgrp, *cpu)) {
			without_psi++;
			break;
		}
	}
}

/* The cgroup and its descendants. */
SEC("syscall")
int psi_top(void *ctx)
{
	struct cgroup_subsys_state *css;
	struct cgroup *root;

	root = bpf_cgroup_from_id(root_id);
	if (!root)
		return -ENOENT;
	bpf_rcu_read_lock();
	bpf_for_each(css, css, &root->self, BPF_CGROUP_ITER_DESCENDANTS_PRE)
		look_at(css->cgroup);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(root);
	return 0;
}
