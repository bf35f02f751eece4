// SPDX-License-Identifier: GPL-2.0
/* Sleepable programs: on a function, on a hook, and of type SYSCALL. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

u32 only SEC(".percpu");
u64 calls SEC(".percpu");
u64 opened SEC(".percpu.opened");
char copied[16] SEC(".percpu.opened");

/* The address of data in user space. */
u64 user_text;

static __noinline bool is_wanted(void)
{
	return bpf_get_current_pid_tgid() >> 32 == only;
}

SEC("fentry.s/__x64_sys_getpgid")
int BPF_PROG(called, const struct pt_regs *regs)
{
	if (is_wanted())
		calls++;
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(file, struct file *file)
{
	if (!is_wanted())
		return 0;
	opened++;
	/* May sleep. */
	bpf_copy_from_user(copied, sizeof(copied), (void *)user_text);
	return 0;
}
