// SPDX-License-Identifier: GPL-2.0
/* Iterators over tasks and over maps. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u32 only SEC(".percpu");
u64 walks SEC(".percpu");
u64 found SEC(".percpu");
u64 tasks_seen SEC(".percpu.tasks");
char name[16] SEC(".percpu.tasks");
u64 maps_seen SEC(".percpu.maps");

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task) {
		walks++;
		bpf_seq_write(ctx->meta->seq, &tasks_seen, sizeof(tasks_seen));
		return 0;
	}
	tasks_seen++;
	if (task->pid == only) {
		found++;
		__builtin_memcpy(name, task->comm, sizeof(name));
	}
	return 0;
}

SEC("iter/bpf_map")
int maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		maps_seen++;
	else
		bpf_seq_write(ctx->meta->seq, &maps_seen, sizeof(maps_seen));
	return 0;
}
