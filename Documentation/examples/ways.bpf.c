// SPDX-License-Identifier: GPL-2.0
/* Ways to count system calls. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

/* [array] */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} lossy SEC(".maps");

SEC("raw_tp/sys_enter")
int by_array(void *ctx)
{
	u32 zero = 0;
	u64 *calls;

	calls = bpf_map_lookup_elem(&lossy, &zero);
	if (calls)
		*calls += 1;
	return 0;
}
/* [array end] */

struct stats {
	u64 calls;
	u64 sampled;
	u64 highest;
};
BPF_PERCPU_STORE(stats, "ways", struct stats);

/* [id] */
SEC("raw_tp/sys_enter")
int by_id(void *ctx)
{
	bpf_percpu_id_add_u64(stats.id, offsetof(struct stats, calls), 1);
	return 0;
}
/* [id end] */

/* [handle] */
SEC("raw_tp/sys_enter")
int by_handle(void *ctx)
{
	struct bpf_percpu_store *s;

	s = bpf_percpu_store_get(stats.id);
	if (!s)
		return 0;
	bpf_percpu_add_u64(s, offsetof(struct stats, calls), 1);
	return 0;
}
/* [handle end] */

/* [view] */
SEC("raw_tp/sys_enter")
int by_view(void *ctx)
{
	struct bpf_percpu_store *s;
	struct stats *here;

	s = bpf_percpu_store_get(stats.id);
	if (!s)
		return 0;
	here = (struct stats *)bpf_percpu_store_this_cpu(s, 0, sizeof(*here));
	if (!here)
		return 0;
	bpf_percpu_view_add_u64(&here->calls, 1);
	return 0;
}
/* [view end] */

/* [data] */
SEC("raw_tp/sys_enter")
int by_data(void *ctx)
{
	struct stats *here;

	here = (struct stats *)bpf_percpu_data(stats.id, sizeof(*here));
	bpf_percpu_view_add_u64(&here->calls, 1);
	return 0;
}
/* [data end] */

/* [sample] */
SEC("raw_tp/sys_enter")
int one_of_ten(void *ctx)
{
	struct stats *here;

	here = (struct stats *)bpf_percpu_data(stats.id, sizeof(*here));
	if (bpf_percpu_view_add_return_u64(&here->calls, 1) % 10 == 0)
		bpf_percpu_view_add_u64(&here->sampled, 1);
	return 0;
}
/* [sample end] */

/* [highest] */
SEC("raw_tp/sys_enter")
int highest(struct bpf_raw_tracepoint_args *ctx)
{
	u64 nr = ctx->args[1], old, seen;
	struct stats *here;
	int i;

	here = (struct stats *)bpf_percpu_data(stats.id, sizeof(*here));
	old = here->highest;
	/* Try again if another program ran in between. */
	for (i = 0; i < 8 && nr > old; i++) {
		seen = bpf_percpu_view_cmpxchg_u64(&here->highest, old, nr);
		if (seen == old)
			break;
		old = seen;
	}
	return 0;
}
/* [highest end] */
