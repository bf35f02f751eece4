// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_percpu.bpf.h"
#include "shared.h"

#define RULES 64

/* Matches packets of a protocol (0: any) from or to a range of ports. */
struct rule {
	__u16 first, last;
	__u8 protocol;
	__u8 class;
};

/* Set by the loader. */
const volatile struct {
	__u32 via_map;
	__u32 rules;
	struct rule rule[RULES];
} settings;

char LICENSE[] SEC("license") = "GPL";

static bool is_in(const volatile struct rule *rule, __u16 port)
{
	return rule->first <= port && port <= rule->last;
}

/* Replaces policy() in shared_tail.bpf.c. The first rule that matches sets the class. */
SEC("freplace")
int by_port(struct __sk_buff *skb)
{
	struct shared *here = shared(settings.via_map);
	struct handed *handed;
	int i;

	if (!here)
		return 0;
	handed = &here->handed;
	if (handed->owner != (__u64)skb) {
		bpf_percpu_view_add_u64(&here->mixed, 1);
		return 0;
	}
	count(&here->stages[STAGE_POLICY], handed->len, value_of(handed));
	/* Packets without ports have no class. */
	if (handed->stage != STAGE_TCP && handed->stage != STAGE_UDP)
		return 0;
	for (i = 0; i < RULES && i < settings.rules; i++) {
		const volatile struct rule *rule = &settings.rule[i];

		if (rule->protocol && rule->protocol != handed->protocol)
			continue;
		if (is_in(rule, handed->dport) || is_in(rule, handed->sport)) {
			handed->class = rule->class;
			break;
		}
	}
	return 0;
}
