// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

/* vmlinux.h has no macros. */
#define EAGAIN 11

/* The counters never reach the limit: that would look like a loss. */
#define LIMIT 0x4000000000000000ULL

/* Each interruption costs a try. 64 in a row do not happen. */
#define TRIES 64

/* The loader reads these fields by offset: src/counters.rs. */
struct counts {
	/* All adds, once in each way. */
	__u64 on_view;
	__u64 by_handle;
	__u64 by_id;
	__u64 up_to_limit;
	/* The adds of each context. */
	__u64 of_threads;
	__u64 of_samples;
	__u64 of_nmis;
};

BPF_PERCPU_STORE(counts, "nmi_count", struct counts);

/* For comparison: the same adds without a store. */
struct control {
	__u64 plain;
	__u64 up_to_limit;
	__u64 locked;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

char LICENSE[] SEC("license") = "GPL";

/* The number of adds in one run of add_in_task(). */
const volatile __u32 adds_per_run = 1;

/*
 * The number of runs of an interrupting program. All CPUs share it, and update
 * it with locked operations. User space counts the runs of the threads.
 */
struct runs {
	__u64 all;
	__u64 in_nmi;
	__u64 somewhere; /* in an unknown context */
};

struct runs samples;
struct runs nmis;

/*
 * The kernel's preempt count, which contains the current context. The NMI bits
 * moved when the kernel got the second variable. The highest bit of the count
 * may have another meaning, so it is not in the masks below.
 */
extern const int __preempt_count __ksym __weak;
extern const int local_interrupt_disable_state __ksym __weak;

#define NMI_BITS 0x00f00000
#define NMI_BITS_MOVED 0x70000000

static __always_inline void count_run(struct runs *runs)
{
	__u32 count, bits = NMI_BITS;

	__sync_fetch_and_add(&runs->all, 1);
	if (!bpf_ksym_exists(&__preempt_count)) {
		__sync_fetch_and_add(&runs->somewhere, 1);
		return;
	}
	if (bpf_ksym_exists(&local_interrupt_disable_state))
		bits = NMI_BITS_MOVED;
	count = *(int *)bpf_this_cpu_ptr(&__preempt_count);
	if (count & bits)
		__sync_fetch_and_add(&runs->in_nmi, 1);
}

static __always_inline void store_up_to_limit(__u64 *counter)
{
	__u64 old;
	int i;

#pragma clang loop unroll(disable)
	for (i = 0; i < TRIES; i++) {
		old = *(volatile __u64 *)counter;
		if (old >= LIMIT)
			return;
		if (bpf_percpu_view_cmpxchg_u64(counter, old, old + 1) == old)
			return;
	}
}

/* As programs do that count up to a limit. */
static __always_inline void array_up_to_limit(volatile __u64 *counter)
{
	__u64 old = *counter;

	if (old < LIMIT)
		*counter = old + 1;
}

static __always_inline void add(struct bpf_percpu_store *s, struct counts *view,
				struct control *array)
{
	bpf_percpu_view_add_u64(&view->on_view, 1);
	array->plain++;
	bpf_percpu_add_u64(s, offsetof(struct counts, by_handle), 1);
	array_up_to_limit(&array->up_to_limit);
	bpf_percpu_id_add_u64(counts.id, offsetof(struct counts, by_id), 1);
	__sync_fetch_and_add(&array->locked, 1);
	store_up_to_limit(&view->up_to_limit);
}

/* Adds @times times, also to the context's counter at offset @of. */
static __always_inline int add_times(__u32 times, __u32 of)
{
	struct bpf_percpu_store *s;
	struct control *array;
	struct counts *view;
	__u32 key = 0;
	int i;

	s = bpf_percpu_store_get(counts.id);
	if (!s)
		return -EAGAIN;
	view = (struct counts *)bpf_percpu_store_this_cpu(s, 0, sizeof(*view));
	array = bpf_map_lookup_elem(&control, &key);
	if (!view || !array)
		return -EAGAIN;

	bpf_for(i, 0, times)
	{
		add(s, view, array);
		bpf_percpu_add_u64(s, of, 1);
	}
	return 0;
}

/* Run by threads, which preempt each other. */
SEC("syscall")
int add_in_task(void *ctx)
{
	int err;

	/* A syscall program may sleep, so it does not run in an RCU section. */
	bpf_rcu_read_lock();
	err = add_times(adds_per_run, offsetof(struct counts, of_threads));
	bpf_rcu_read_unlock();
	return err;
}

/* Runs in an NMI or in a timer interrupt, depending on the machine. */
SEC("perf_event")
int add_in_sample(void *ctx)
{
	count_run(&samples);
	return add_times(1, offsetof(struct counts, of_samples));
}

/* Runs after each handler that the kernel calls in an NMI of any cause. */
SEC("raw_tp/nmi_handler")
int add_in_nmi(void *ctx)
{
	count_run(&nmis);
	return add_times(1, offsetof(struct counts, of_nmis));
}
