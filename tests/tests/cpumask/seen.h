/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The results of the programs: the CPUs that they saw, and in which order.
 * They are alone in .bss, so that the test finds them without names.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

#define MAX_CPUS 512

struct seen {
	u64 words[MAX_CPUS / 64]; /* CPUs as a bit mask */
	u32 next; /* the last CPU plus one */
	u32 steps; /* number of steps, repeated CPUs included */
	u32 disorder; /* steps to a CPU that was not higher than the one before */
	u32 strange; /* steps to an impossible CPU */
};

struct seen seen[12];

char _license[] SEC("license") = "GPL";

static __always_inline void see(struct seen *s, u32 cpu)
{
	if (cpu >= MAX_CPUS) {
		s->strange++;
		return;
	}
	if (cpu < s->next)
		s->disorder++;
	s->next = cpu + 1;
	s->steps++;
	s->words[cpu / 64] |= 1ULL << (cpu % 64);
}

/* In an RCU section. */
static __always_inline void walk(struct seen *s, const struct cpumask *mask)
{
	int *cpu;

	bpf_for_each(cpumask, cpu, mask)
		see(s, *cpu);
}
