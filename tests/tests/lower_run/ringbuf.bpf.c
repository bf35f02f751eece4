// SPDX-License-Identifier: GPL-2.0
/* Sends the contents of variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct record {
	u64 number;
	u32 cpu;
	u8 payload[52];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

struct record record SEC(".percpu") = { .payload = { 0xaa, 0xbb } };
u64 lost SEC(".percpu.lost");

SEC("tc")
int send(struct __sk_buff *skb)
{
	struct record *reserved;

	record.number++;
	record.cpu = bpf_get_smp_processor_id();
	record.payload[51] = record.number * 2;
	if (bpf_ringbuf_output(&records, &record, sizeof(record), 0))
		lost++;
	/* The same, copied by the program. */
	reserved = bpf_ringbuf_reserve(&records, sizeof(record), 0);
	if (!reserved) {
		lost++;
		return 0;
	}
	*reserved = record;
	reserved->number += 1000;
	bpf_ringbuf_submit(reserved, 0);
	return 0;
}
