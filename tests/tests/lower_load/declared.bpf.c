// SPDX-License-Identifier: GPL-2.0
/* Declares a store besides a per-CPU variable. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

BPF_PERCPU_STORE(total, "declared", u64);

#ifndef WITHOUT_VARIABLES
u64 count SEC(".percpu");
#endif

SEC("syscall")
int count_up(void *ctx)
{
#ifndef WITHOUT_VARIABLES
	count += 1;
#endif
	bpf_rcu_read_lock();
	bpf_percpu_id_add_u64(total.id, 0, 1);
	bpf_rcu_read_unlock();
	return 0;
}
