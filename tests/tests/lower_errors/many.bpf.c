// SPDX-License-Identifier: GPL-2.0
/* One section more than a lowered object can have. */
#include "snippet.h"

#define VARIABLE(n) u64 count_##n SEC(".percpu.n" #n);
#define COUNT(n) count_##n += 1;
#define EACH(put)                                                             \
	put(0) put(1) put(2) put(3) put(4) put(5) put(6) put(7) put(8) put(9) \
		put(10) put(11)

EACH(VARIABLE)

SEC("tc")
int counts(struct __sk_buff *skb)
{
	EACH(COUNT)
	return 0;
}
