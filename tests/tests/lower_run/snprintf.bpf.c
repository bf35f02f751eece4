// SPDX-License-Identifier: GPL-2.0
/* Formats values of variables into a variable, with a format string in .rodata. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

char line[64] SEC(".percpu");
u64 values[3] SEC(".percpu.values") = { 0, 0, 255 };
long written SEC(".percpu");

static const char format[] = "run %llu on CPU %llu: %llx";

SEC("tc")
int print(struct __sk_buff *skb)
{
	values[0]++;
	values[1] = bpf_get_smp_processor_id();
	values[2]++;
	written = bpf_snprintf(line, sizeof(line), format, values,
			       sizeof(values));
	return 0;
}
