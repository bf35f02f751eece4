// SPDX-License-Identifier: GPL-2.0
/* An XDP program that reads packets. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 packets SEC(".percpu");
u64 length SEC(".percpu");
u64 by_first_byte[256] SEC(".percpu.bytes");
u8 header[14] SEC(".percpu.bytes");

SEC("xdp")
int look(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data;
	void *end = (void *)(long)xdp->data_end;
	u8 *bytes = data;

	packets++;
	length += end - data;
	if (data + sizeof(header) > end)
		return XDP_DROP;
	by_first_byte[bytes[0]]++;
	__builtin_memcpy(header, data, sizeof(header));
	return header[0] & 1 ? XDP_PASS : XDP_TX;
}
