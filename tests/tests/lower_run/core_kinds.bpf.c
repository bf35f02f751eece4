// SPDX-License-Identifier: GPL-2.0
/* CO-RE relocations of all kinds between accesses. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

/* The kernel's struct does not have this field. */
struct task_struct___other {
	int surely_not_there;
	int pid;
} __attribute__((preserve_access_index));

/* The kernel's enum does not have this value. */
enum bpf_map_type___other {
	SURELY_NOT_THERE___other = 3,
};

struct seen {
	u64 field, no_field, offset, size, bitfield, enum_value, no_enum_value;
	u64 type, no_type, type_size, other_pid;
};

struct nowhere___at_all {
	int x;
};

struct seen seen SEC(".percpu");
u64 runs SEC(".percpu.runs") = 9;

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_struct___other *other = (void *)current;

	seen.field = bpf_core_field_exists(current->pid);
	runs++;
	seen.no_field = bpf_core_field_exists(other->surely_not_there);
	seen.offset = bpf_core_field_offset(struct task_struct, pid);
	seen.size = bpf_core_field_size(current->comm);
	seen.bitfield =
		BPF_CORE_READ_BITFIELD_PROBED(current, sched_reset_on_fork);
	seen.bitfield += 2 * BPF_CORE_READ_BITFIELD(current, in_iowait);
	seen.enum_value = bpf_core_enum_value(enum bpf_map_type,
					      BPF_MAP_TYPE_PERCPU_ARRAY);
	seen.no_enum_value = bpf_core_enum_value_exists(
		enum bpf_map_type___other, SURELY_NOT_THERE___other);
	seen.type = bpf_core_type_exists(struct task_struct);
	seen.no_type = bpf_core_type_exists(struct nowhere___at_all);
	seen.type_size = bpf_core_type_size(struct pid_namespace);
	seen.other_pid = other->pid;
	runs++;
	return 0;
}
