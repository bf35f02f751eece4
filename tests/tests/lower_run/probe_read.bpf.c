// SPDX-License-Identifier: GPL-2.0
/* Reads memory of the kernel and of user space into variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

#define TASK_COMM_LEN 16

u32 pid SEC(".percpu");
char comm[TASK_COMM_LEN] SEC(".percpu.strings");
char copy[TASK_COMM_LEN] SEC(".percpu.strings");
char text[32] SEC(".percpu.strings") = "nothing";
s64 length SEC(".percpu");
s64 error SEC(".percpu");
char own[TASK_COMM_LEN] SEC(".percpu.own");
char wiped[8] SEC(".percpu.own") = "before";

struct asked {
	u64 text;
	u32 size;
};

SEC("syscall")
int look(struct asked *asked)
{
	struct task_struct *current = bpf_get_current_task_btf();
	u32 size = asked->size;

	bpf_probe_read_kernel(&pid, sizeof(pid), &current->pid);
	bpf_probe_read_kernel_str(comm, sizeof(comm), current->comm);
	bpf_get_current_comm(own, sizeof(own));
	/* With a size that is only known at run time. */
	if (size > sizeof(copy))
		return -1;
	bpf_probe_read_kernel(copy, size, comm);
	length = bpf_probe_read_user_str(text, sizeof(text),
					 (void *)asked->text);
	error = bpf_probe_read_kernel(wiped, sizeof(wiped), NULL);
	return 0;
}
