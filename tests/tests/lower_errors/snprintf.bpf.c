// SPDX-License-Identifier: GPL-2.0
/* A format string, which must be constant. */
#include "snippet.h"

char format[8] SEC(".percpu") = "%d";
char text[16];

SEC("tc")
int prints(struct __sk_buff *skb)
{
	u64 args[] = { skb->len };

	return bpf_snprintf(text, sizeof(text), format, args, sizeof(args));
}
