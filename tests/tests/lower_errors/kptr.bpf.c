// SPDX-License-Identifier: GPL-2.0
/* A kptr: the kernel would have to drop the reference. */
#include "snippet.h"

struct task_struct __kptr *task SEC(".percpu");
int count SEC(".percpu");

SEC("tc")
int keeps(struct __sk_buff *skb)
{
	count += 1;
	return task ? 1 : 0;
}
