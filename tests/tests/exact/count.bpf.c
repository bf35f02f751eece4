// SPDX-License-Identifier: GPL-2.0
/*
 * Counts with each operation of a store, and in a PERCPU_ARRAY, both in a
 * program that is interrupted on its CPU, and in those that interrupt it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"

#define CLOCK_MONOTONIC 1

char _license[] SEC("license") = "GPL";

/* The layout of the store, which tests read from each CPU's copy. */
struct counters {
	u64 by_id;
	u64 by_handle;
	u64 on_view;
	u64 added; /* by add_return */
	u64 token; /* taken by xchg, and put back */
	u64 swapped; /* by cmpxchg */
	u32 by_id_32;
	u32 by_handle_32;
	u32 on_view_32;
	u32 added_32;
};

/* What tests set and read: struct State in state.rs. */
struct tally {
	u64 total; /* increments of all programs */
	u64 sum_of_returned; /* by add_return */
	u64 swaps; /* successful cmpxchg */
	u64 interruptions; /* increments of programs other than count() */
	u64 control_total; /* what the control should have counted */
	u32 sum_of_returned_32;
	u32 store_id;
} tally = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} control SEC(".maps");

/*
 * The number of increments in a run. Many, since an interruption has to hit
 * between two instructions, and on a slow machine few come at all.
 */
#define CONTROL_TIMES 16

static __always_inline void count_once(struct bpf_percpu_store *s,
				       struct counters *view)
{
	u64 returned = 0, old;
	u32 returned_32 = 0;
	u32 key = 0;
	volatile u64 *lossy;
	int i;

	bpf_percpu_id_add_u64(tally.store_id, offsetof(struct counters, by_id),
			      1);
	bpf_percpu_id_add_u32(tally.store_id,
			      offsetof(struct counters, by_id_32), 1);
	bpf_percpu_add_u64(s, offsetof(struct counters, by_handle), 1);
	bpf_percpu_add_u32(s, offsetof(struct counters, by_handle_32), 1);
	bpf_percpu_view_add_u64(&view->on_view, 1);
	bpf_percpu_view_add_u32(&view->on_view_32, 1);

	bpf_percpu_add_return_u64(s, offsetof(struct counters, added), 1,
				  &returned);
	__sync_fetch_and_add(&tally.sum_of_returned, returned);
	returned_32 = bpf_percpu_view_add_return_u32(&view->added_32, 1);
	__sync_fetch_and_add(&tally.sum_of_returned_32, returned_32);

	old = bpf_percpu_view_xchg_u64(&view->token, 0);
	bpf_percpu_view_add_u64(&view->token, old + 1);

	old = view->swapped;
	if (bpf_percpu_view_cmpxchg_u64(&view->swapped, old, old + 1) == old)
		__sync_fetch_and_add(&tally.swaps, 1);

	lossy = bpf_map_lookup_elem(&control, &key);
	if (lossy) {
#pragma unroll
		for (i = 0; i < CONTROL_TIMES; i++)
			*lossy += 1;
		__sync_fetch_and_add(&tally.control_total, CONTROL_TIMES);
	}
	__sync_fetch_and_add(&tally.total, 1);
}

static __always_inline int count_times(int times)
{
	struct bpf_percpu_store *s;
	struct counters *view;
	int i;

	s = bpf_percpu_store_get(tally.store_id);
	if (!s)
		return 1;
	view = (struct counters *)bpf_percpu_store_this_cpu(s, 0,
							    sizeof(*view));
	if (!view)
		return 2;
	bpf_for(i, 0, times) count_once(s, view);
	return 0;
}

static __always_inline int interrupt(void)
{
	/* Only on the CPU of count(): the function is called on other CPUs, too. */
	if (bpf_get_smp_processor_id() != 0)
		return 0;
	__sync_fetch_and_add(&tally.interruptions, 1);
	return count_times(1);
}

SEC("syscall")
int count(void *ctx)
{
	int ret;

	bpf_rcu_read_lock();
	ret = count_times(200);
	bpf_rcu_read_unlock();
	return ret;
}

/* Preempts count(). */
SEC("syscall")
int preempt(void *ctx)
{
	int ret;

	bpf_rcu_read_lock();
	ret = interrupt();
	bpf_rcu_read_unlock();
	return ret;
}

/* A software clock, in hard interrupt context. */
SEC("perf_event")
int clock_tick(void *ctx)
{
	return interrupt();
}

/* On each call of an NMI handler, in NMI context. */
SEC("raw_tp/nmi_handler")
int nmi(void *ctx)
{
	return interrupt();
}

/* A kernel function that is called in hard interrupt context. */
SEC("kprobe")
int tick(void *ctx)
{
	return interrupt();
}

struct timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct timer);
} timers SEC(".maps");

#define TIMER_PERIOD_NS 500000

/* A timer that restarts itself, in softirq context. */
static int timer_fired(void *map, u32 *key, struct timer *value)
{
	interrupt();
	bpf_timer_start(&value->timer, TIMER_PERIOD_NS, BPF_F_TIMER_CPU_PIN);
	return 0;
}

SEC("syscall")
int start_timer(void *ctx)
{
	struct timer *value;
	u32 key = 0;

	value = bpf_map_lookup_elem(&timers, &key);
	if (!value)
		return 1;
	if (bpf_timer_init(&value->timer, &timers, CLOCK_MONOTONIC))
		return 2;
	bpf_timer_set_callback(&value->timer, timer_fired);
	return bpf_timer_start(&value->timer, TIMER_PERIOD_NS,
			       BPF_F_TIMER_CPU_PIN);
}

SEC("syscall")
int stop_timer(void *ctx)
{
	struct timer *value;
	u32 key = 0;

	value = bpf_map_lookup_elem(&timers, &key);
	return value ? bpf_timer_cancel(&value->timer) : 1;
}
