/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A call on an entry of a keyed store, which a test makes through a SYSCALL
 * program. This is the program's context: struct Call in call.rs.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* The kfunc to call: one for each enum bpf_percpu_key_kind. */
enum kind {
	OF_TASK = 1,
	OF_CGROUP,
	OF_NUMBER,
};

/* How the program uses the entry. */
enum way {
	ON_ENTRY,
	ON_ACQUIRED,
	ON_VIEW,
};

enum op {
	ADD,
	ADD_RETURN,
	XCHG,
	CMPXCHG,
	SUM,
};

struct call {
	u64 owner; /* a thread id, the id of a cgroup, or a number */
	u64 flags;
	u64 val;
	u64 expect;
	u64 result; /* in and out: the kfunc's result, if it has one */
	u64 entry; /* out: the entry's address */
	u64 key; /* out: the key of the entry */
	u64 owner_key; /* out: the key that the entry must have */
	u32 id; /* of the store */
	u32 kind;
	u32 way;
	u32 op;
	u32 bits;
	u32 off;
	u32 cpu; /* the CPU whose copy to use */
	s32 error; /* out: the kfunc's errno */
	u32 entry_id; /* out */
	u32 entry_size; /* out */
};

/* Return values of the programs. */
#define NO_STORE 1
#define NO_OWNER 2
#define NO_ENTRY 3
#define NO_VIEW 4
#define BAD_CALL 5

char _license[] SEC("license") = "GPL";

/* Calls the kfunc for the owner of @c: @task, @cgrp or a number. */
#define WITH_OWNER(c, s, task_ret, cgroup_ret, number_ret)                    \
	({                                                                    \
		int ___ret = NO_OWNER;                                        \
		switch ((c)->kind) {                                          \
		case OF_TASK: {                                               \
			struct task_struct *task =                            \
				bpf_task_from_pid((c)->owner);                \
			if (!task)                                            \
				break;                                        \
			(c)->owner_key = (u64)task;                           \
			___ret = task_ret;                                    \
			bpf_task_release(task);                               \
			break;                                                \
		}                                                             \
		case OF_CGROUP: {                                             \
			struct cgroup *cgrp = bpf_cgroup_from_id((c)->owner); \
			if (!cgrp)                                            \
				break;                                        \
			(c)->owner_key = (u64)cgrp;                           \
			___ret = cgroup_ret;                                  \
			bpf_cgroup_release(cgrp);                             \
			break;                                                \
		}                                                             \
		case OF_NUMBER:                                               \
			(c)->owner_key = (c)->owner;                          \
			___ret = number_ret;                                  \
			break;                                                \
		default:                                                      \
			___ret = BAD_CALL;                                    \
		}                                                             \
		___ret;                                                       \
	})

/* Returns use(c, entry) for the entry of @c in @s, or NO_ENTRY. */
#define WITH_ENTRY(c, s, use)                                                \
	WITH_OWNER(c, s, use(c, bpf_percpu_task_store(s, task, (c)->flags)), \
		   use(c, bpf_percpu_cgroup_store(s, cgrp, (c)->flags)),     \
		   use(c, bpf_percpu_key_store(s, (c)->owner, (c)->flags)))
