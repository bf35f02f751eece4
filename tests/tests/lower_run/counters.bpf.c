// SPDX-License-Identifier: GPL-2.0
/* Plain variables, of all sizes and with initial values. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 runs SEC(".percpu");
int below SEC(".percpu") = -7;
unsigned int wraps SEC(".percpu") = 0xfffffffe;
s64 far_below SEC(".percpu") = -(1LL << 40);
u64 untouched SEC(".percpu") = 0x0123456789abcdef;
short small SEC(".percpu") = -2;
char letter SEC(".percpu") = 'a';
signed char tiny SEC(".percpu") = -128;
bool odd SEC(".percpu");
bool kept SEC(".percpu") = true;

SEC("tc")
int count(struct __sk_buff *skb)
{
	runs++;
	below += 3;
	wraps++;
	far_below--;
	small *= 3;
	letter++;
	tiny++;
	odd = !odd;
	/* Comparing stored values shows that the sign is kept. */
	return below < 0;
}
