/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A call that a test makes through a SYSCALL program. This is the program's
 * context: struct Call in call.rs.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

#define STORE_NAME "calls"

/* How the program accesses the store. */
enum way {
	BY_GET,
	BY_LOOKUP,
	BY_ACQUIRE,
	BY_ID,
	ON_VIEW,
	ON_DATA,
};

enum op {
	ADD,
	ADD_RETURN,
	XCHG,
	CMPXCHG,
};

struct call {
	u64 val;
	u64 expect;
	u64 result; /* in and out: the kfunc's result, if it has one */
	u32 id;
	u32 off;
	u32 way;
	u32 op;
	u32 bits;
	s32 error; /* out: the kfunc's errno */
	u32 cpu; /* out: the program's CPU; in: a CPU, or an enum mask */
	u32 size;
};

/* Return values of a program that got no store, or no view. */
#define NO_STORE 1
#define NO_VIEW 2
#define BAD_CALL 3

char _license[] SEC("license") = "GPL";
