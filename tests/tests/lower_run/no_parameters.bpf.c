// SPDX-License-Identifier: GPL-2.0
/* A program that uses its context without declaring it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

u64 bytes SEC(".percpu");

SEC("tc")
__attribute__((naked)) int add_length(void)
{
	asm volatile("r6 = *(u32 *)(r1 + %[len]);"
		     "r7 = %[bytes] ll;"
		     "r8 = *(u64 *)(r7 + 0);"
		     "r8 += r6;"
		     "*(u64 *)(r7 + 0) = r8;"
		     "r0 = 0;"
		     "exit;"
		     :
		     : [bytes] "i"(&bytes), [len] "i"(offsetof(struct __sk_buff,
							       len)));
}
