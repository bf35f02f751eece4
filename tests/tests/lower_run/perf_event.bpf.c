// SPDX-License-Identifier: GPL-2.0
/* Counts the samples of an event. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 samples SEC(".percpu");
u64 elsewhere SEC(".percpu");
u64 period SEC(".percpu.period");
u32 cpu SEC(".percpu.period") = ~0U;

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	u32 here = bpf_get_smp_processor_id();

	samples++;
	if (cpu != ~0U && cpu != here)
		elsewhere++;
	cpu = here;
	period = ctx->sample_period;
	return 0;
}
