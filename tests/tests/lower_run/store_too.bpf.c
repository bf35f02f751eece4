// SPDX-License-Identifier: GPL-2.0
/* An object that also uses a store, in the same functions. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

struct counts {
	u64 runs;
	u64 copies;
};

BPF_PERCPU_STORE(counts, "lowered_store_too", struct counts);

u64 runs SEC(".percpu") = 100;
u64 from_store SEC(".percpu.store");

static __noinline u64 count_in_store(void)
{
	struct counts *view;

	view = (struct counts *)bpf_percpu_data(counts.id, sizeof(*view));
	view->runs++;
	view->copies = runs;
	return view->runs;
}

SEC("syscall")
int count(void *ctx)
{
	runs++;
	from_store = count_in_store();
	bpf_percpu_view_add_u64(&from_store, 1000);
	bpf_rcu_read_lock();
	bpf_percpu_id_add_u64(counts.id, 0, 1);
	bpf_rcu_read_unlock();
	return 0;
}
