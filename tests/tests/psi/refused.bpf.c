// SPDX-License-Identifier: GPL-2.0
/* Programs that read per-CPU data of the kernel in ways that the verifier must reject. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"
#include "../pair.h"

char _license[] SEC("license") = "GPL";

/* Not constant to the verifier. */
u64 id;
u32 cpu;

/* The reason for bpf_cgroup_psi_cpu(): the kernel's helper does not take the field as per-CPU. */
static __always_inline int helper_on_a_field_if(bool mistake)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	if (mistake)
		psi = bpf_per_cpu_ptr(cgrp->psi->pcpu, cpu);
	else
		psi = bpf_cgroup_psi_cpu(cgrp, cpu);
	if (psi)
		ret = psi->state_mask;
	bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("tp_btf/sys_enter", helper_on_a_field)

static __always_inline int unchecked_if(bool mistake)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	psi = bpf_cgroup_psi_cpu(cgrp, cpu);
	if (mistake || psi)
		ret = psi->state_mask;
	bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("tp_btf/sys_enter", unchecked)

static __always_inline int written_if(bool mistake)
{
	struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	psi = (struct psi_group_cpu *)bpf_cgroup_psi_cpu(cgrp, cpu);
	if (psi && mistake)
		psi->state_mask = 0;
	else if (psi)
		ret = psi->state_mask;
	bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("tp_btf/sys_enter", written)

static __always_inline int without_rcu_if(bool mistake)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	if (!mistake)
		bpf_rcu_read_lock();
	psi = bpf_cgroup_psi_cpu(cgrp, cpu);
	if (psi)
		ret = psi->state_mask;
	if (!mistake)
		bpf_rcu_read_unlock();
	bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("syscall", without_rcu)

static __always_inline int null_cgroup_if(bool mistake)
{
	const struct psi_group_cpu *psi = NULL;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (mistake || cgrp)
		psi = bpf_cgroup_psi_cpu(cgrp, cpu);
	if (psi)
		ret = psi->state_mask;
	if (cgrp)
		bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("tp_btf/sys_enter", null_cgroup)

/* An arbitrary number is not a cgroup. */
static __always_inline int scalar_as_cgroup_if(bool mistake)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	psi = bpf_cgroup_psi_cpu(mistake ? (struct cgroup *)id : cgrp, cpu);
	if (psi)
		ret = psi->state_mask;
	bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("tp_btf/sys_enter", scalar_as_cgroup)

/* The result of bpf_percpu_ptr() is a number, not a pointer. */
static __always_inline int number_as_pointer_if(bool mistake)
{
	const struct psi_group_cpu *psi;
	struct cgroup *cgrp;
	int ret = 0;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	psi = bpf_percpu_ptr(cgrp->psi->pcpu, cpu);
	if (!mistake)
		psi = bpf_core_cast(psi, struct psi_group_cpu);
	ret = psi->state_mask;
	bpf_cgroup_release(cgrp);
	return ret;
}
PAIR("tp_btf/sys_enter", number_as_pointer)
