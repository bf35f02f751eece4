// SPDX-License-Identifier: GPL-2.0
/* A timer's callback, which runs after the program that started it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

/* vmlinux.h has no macros. */
#define CLOCK_MONOTONIC 1
#define BPF_F_TIMER_CPU_PIN 2

struct alarm_clock {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, struct alarm_clock);
} alarms SEC(".maps");

u64 started SEC(".percpu");
u64 fired SEC(".percpu.fired") = 1000;
u64 sum_of_keys SEC(".percpu.fired");

static int fire(void *map, u32 *key, struct alarm_clock *alarm)
{
	sum_of_keys += *key + 1;
	fired++;
	return 0;
}

SEC("tc")
int start(struct __sk_buff *skb)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct alarm_clock *alarm = bpf_map_lookup_elem(&alarms, &cpu);

	if (!alarm)
		return -1;
	bpf_timer_init(&alarm->timer, &alarms, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&alarm->timer, fire);
	if (bpf_timer_start(&alarm->timer, 1000, BPF_F_TIMER_CPU_PIN))
		return -2;
	started++;
	return 0;
}
