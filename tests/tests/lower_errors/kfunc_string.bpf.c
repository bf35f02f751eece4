// SPDX-License-Identifier: GPL-2.0
/* A name for a kfunc, which must be constant. */
#include "snippet.h"
#include "bpf_percpu.bpf.h"

char name[8] SEC(".percpu") = "store";

SEC("tc")
int looks_up(struct __sk_buff *skb)
{
	struct bpf_percpu_store *store = bpf_percpu_store_lookup(name);

	if (store)
		bpf_percpu_store_release(store);
	return 0;
}
