// SPDX-License-Identifier: GPL-2.0
/* Per-CPU variables beside externs: of the kernel, and of libbpf. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern const struct rq runqueues __ksym;
extern const void __cpu_possible_mask __ksym;
extern const int surely_not_there __ksym __weak;
extern struct cgroup *bpf_cgroup_from_id(u64 id) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgrp) __ksym;

u64 version SEC(".percpu");
u32 cpu_of_queue SEC(".percpu") = ~0U;
u64 cgroups SEC(".percpu.cgroups");
u8 facts[3] SEC(".percpu");

SEC("syscall")
int look(void *ctx)
{
	const struct rq *rq = bpf_this_cpu_ptr(&runqueues);
	struct cgroup *root;

	version = LINUX_KERNEL_VERSION;
	cpu_of_queue = rq->cpu;
	facts[0] = LINUX_HAS_BPF_COOKIE;
	facts[1] = (u64)&__cpu_possible_mask != 0;
	facts[2] = bpf_ksym_exists(&surely_not_there);
	root = bpf_cgroup_from_id(1);
	if (root) {
		cgroups += 1 + root->level;
		bpf_cgroup_release(root);
	}
	return 0;
}
