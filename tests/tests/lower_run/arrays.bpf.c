// SPDX-License-Identifier: GPL-2.0
/* Arrays, at indices that the verifier does not know. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define SLOTS 64
#define ROWS 4
#define COLUMNS 8

u64 histogram[SLOTS] SEC(".percpu");
u32 table[ROWS][COLUMNS] SEC(".percpu") = { [2] = { [5] = 1000 } };
u8 bytes[SLOTS] SEC(".percpu") = { 1, 2, 3 };

struct {
	u32 slot, row, column;
} input;

SEC("tc")
int add(struct __sk_buff *skb)
{
	u32 slot = input.slot, row = input.row, column = input.column;

	if (slot >= SLOTS || row >= ROWS || column >= COLUMNS)
		return -1;
	histogram[slot] += slot + 1;
	table[row][column] += 1;
	bytes[SLOTS - 1 - slot] ^= 0xff;
	return table[row][column];
}
