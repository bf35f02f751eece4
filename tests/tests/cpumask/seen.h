/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs of this family tell the test: the CPUs that they saw, and how.
 * Everything is in .bss, so that the test finds it without names.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "bpf_percpu.bpf.h"

#define MAX_CPUS 512

struct seen {
	u64 words[MAX_CPUS / 64]; /* CPUs, as bits */
	u32 next; /* one more than the last CPU */
	u32 steps; /* CPUs seen, the same ones again too */
	u32 disorder; /* CPUs that came after a higher one, or after themselves */
	u32 strange; /* CPUs that cannot be */
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
