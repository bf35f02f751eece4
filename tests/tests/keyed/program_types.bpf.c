// SPDX-License-Identifier: GPL-2.0
/* Programs of many types. Each uses entries once, in its first run. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

char _license[] SEC("license") = "GPL";

#define CREATE BPF_LOCAL_STORAGE_GET_F_CREATE

/* struct Counted in program_types.rs. */
struct {
	u64 tid;
	u64 cgroup;
	u32 ids[3]; /* of stores of tasks, cgroups, and numbers */
	u32 started;
	u32 done;
	s32 wrong; /* line of the first failed check */
} counted = {};

/* Records the line of the first failed check. */
#define CHECK(condition)                            \
	do {                                        \
		if (!(condition) && !counted.wrong) \
			counted.wrong = __LINE__;   \
	} while (0)

static __always_inline void add(struct bpf_percpu_store *entry)
{
	CHECK(entry && !bpf_percpu_add_u64(entry, 0, 1));
}

static __noinline int numbers(void)
{
	struct bpf_percpu_store *s, *entry;
	u32 steps = 0;

	s = bpf_percpu_store_get(counted.ids[2]);
	CHECK(s);
	if (!s)
		return 0;
	CHECK(!bpf_percpu_key_store(s, 7, 0));
	CHECK(bpf_percpu_key_delete(s, 7) == -2);
	entry = bpf_percpu_key_store(s, 7, CREATE);
	if (entry)
		add(entry);
	CHECK(entry);
	CHECK(bpf_percpu_key_store(s, 7, 0) == entry);
	CHECK(bpf_percpu_key_store(s, 8, CREATE));
	bpf_for_each(percpu_entry, entry, s) {
		if (entry->key == 7)
			add(entry);
		steps++;
		if (steps > 2)
			break;
	}
	CHECK(steps == 2);
	CHECK(!bpf_percpu_key_delete(s, 8));
	return 0;
}

static __noinline int tasks(void)
{
	struct bpf_percpu_store *s, *entry;
	struct task_struct *task;

	s = bpf_percpu_store_get(counted.ids[0]);
	task = bpf_task_from_pid(counted.tid);
	CHECK(s && task);
	if (s && task) {
		CHECK(bpf_percpu_task_delete(s, task) == -2);
		entry = bpf_percpu_task_store(s, task, CREATE);
		CHECK(entry);
		if (entry)
			add(entry);
	}
	if (task)
		bpf_task_release(task);
	return 0;
}

static __noinline int cgroups(void)
{
	struct bpf_percpu_store *s, *entry;
	struct cgroup *cgrp;

	s = bpf_percpu_store_get(counted.ids[1]);
	cgrp = bpf_cgroup_from_id(counted.cgroup);
	CHECK(s && cgrp);
	if (s && cgrp) {
		CHECK(bpf_percpu_cgroup_delete(s, cgrp) == -2);
		entry = bpf_percpu_cgroup_store(s, cgrp, CREATE);
		CHECK(entry);
		if (entry)
			add(entry);
	}
	if (cgrp)
		bpf_cgroup_release(cgrp);
	return 0;
}

static __noinline int current(void)
{
	struct bpf_percpu_store *s, *entry;

	s = bpf_percpu_store_get(counted.ids[0]);
	CHECK(s);
	if (!s)
		return 0;
	entry = bpf_percpu_task_store(s, bpf_get_current_task_btf(), CREATE);
	CHECK(entry);
	if (entry)
		add(entry);
	return 0;
}

/* Not every type of program may look up tasks and cgroups by number. */
#define CURRENT 1
#define ALL 2

static __always_inline void count(int which)
{
	if (__sync_val_compare_and_swap(&counted.started, 0, 1))
		return;
	numbers();
	if (which == ALL) {
		tasks();
		cgroups();
	} else {
		current();
	}
	__sync_lock_test_and_set(&counted.done, which);
}

#define PROGRAM(name, type, which, ret) \
	SEC(type)                       \
	int name(void *ctx)             \
	{                               \
		count(which);           \
		return ret;             \
	}
PROGRAM(xdp, "?xdp", ALL, XDP_PASS)
PROGRAM(tc, "?tc", ALL, 0)
PROGRAM(cgroup_skb, "?cgroup_skb/ingress", ALL, 1)
PROGRAM(socket, "?socket", CURRENT, 0)
PROGRAM(kprobe, "?kprobe/__x64_sys_getpgid", CURRENT, 0)
PROGRAM(kretprobe, "?kretprobe/__x64_sys_getpgid", CURRENT, 0)
PROGRAM(tracepoint, "?tp/raw_syscalls/sys_enter", ALL, 0)
PROGRAM(raw_tp, "?raw_tp/sys_enter", ALL, 0)
PROGRAM(tp_btf, "?tp_btf/sys_enter", ALL, 0)
PROGRAM(fentry, "?fentry/__x64_sys_getpgid", ALL, 0)
PROGRAM(fexit, "?fexit/__x64_sys_getpgid", ALL, 0)
PROGRAM(lsm, "?lsm/file_open", ALL, 0)
PROGRAM(perf_event, "?perf_event", ALL, 0)

/* Sleepable programs need an RCU section. */
#define SLEEPABLE(name, type)          \
	SEC(type)                      \
	int name(void *ctx)            \
	{                              \
		bpf_rcu_read_lock();   \
		count(ALL);            \
		bpf_rcu_read_unlock(); \
		return 0;              \
	}
SLEEPABLE(syscall, "?syscall")
SLEEPABLE(fentry_s, "?fentry.s/__x64_sys_getpgid")
SLEEPABLE(lsm_s, "?lsm.s/file_open")
