// SPDX-License-Identifier: GPL-2.0
/* The kfuncs of sched_ext for the same. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "measure.h"

#define GETTER(name, call)     \
	SEC("syscall")         \
	int name(void *ctx)    \
	{                      \
		MEASURE(call); \
		return 0;      \
	}

GETTER(getters_empty, NOTHING)
GETTER(scx_possible, scx_bpf_put_cpumask(scx_bpf_get_possible_cpumask()))
GETTER(scx_online, scx_bpf_put_cpumask(scx_bpf_get_online_cpumask()))
GETTER(scx_nr_cpu_ids, scx_bpf_nr_cpu_ids())
GETTER(get_possible, bpf_get_possible_cpumask())
GETTER(get_online, bpf_get_online_cpumask())
GETTER(get_nr_cpu_ids, bpf_get_nr_cpu_ids())
