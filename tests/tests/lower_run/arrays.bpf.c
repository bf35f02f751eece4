// SPDX-License-Identifier: GPL-2.0
/* Arrays with indices that the verifier does not know. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define BINS 64
#define ROWS 4
#define COLUMNS 8

u64 histogram[BINS] SEC(".percpu");
u32 table[ROWS][COLUMNS] SEC(".percpu") = { [2] = { [5] = 1000 } };
u8 bytes[BINS] SEC(".percpu") = { 1, 2, 3 };

struct {
	u32 bin, row, column;
} input;

SEC("tc")
int add(struct __sk_buff *skb)
{
	u32 bin = input.bin, row = input.row, column = input.column;

	if (bin >= BINS || row >= ROWS || column >= COLUMNS)
		return -1;
	histogram[bin] += bin + 1;
	table[row][column] += 1;
	bytes[BINS - 1 - bin] ^= 0xff;
	return table[row][column];
}
