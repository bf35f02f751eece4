// SPDX-License-Identifier: GPL-2.0
/* Compiled with the headers as installed: once found by their folder, once in it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#ifdef BY_FOLDER
#include <bpf_percpu/bpf_percpu.bpf.h>
#else
#include "bpf_percpu.bpf.h"
#endif

u64 cpus SEC(".percpu");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	int cpu;

	bpf_for_each_cpu(cpu, bpf_get_possible_cpumask()) cpus += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
