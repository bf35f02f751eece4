// SPDX-License-Identifier: GPL-2.0
/* samples/shared_tail, whose programs share the data of a packet in variables. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "bpf_percpu.bpf.h"

#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define TCX_NEXT -1

enum stage {
	STAGE_PARSE,
	STAGE_POLICY,
	STAGE_TCP,
	STAGE_UDP,
	STAGE_OTHER,
	STAGES
};

#define FIRST_HANDLER STAGE_TCP
#define CLASSES 4

/* The data of a packet that one program passes to the next. */
struct handed {
	u64 owner; /* the packet; 0 if the data is not valid */
	u32 l4, len;
	u16 sport, dport;
	u8 protocol;
	u8 class;
	u16 stage; /* the handler */
};

struct traffic {
	u64 packets, bytes;
};

char LICENSE[] SEC("license") = "GPL";

struct handed handed SEC(".percpu.shared_tail");
u64 mixed SEC(".percpu.shared_tail");
u64 stopped SEC(".percpu.shared_tail");
u64 syn SEC(".percpu.shared_tail");
struct traffic stages[STAGES] SEC(".percpu.counts");
struct traffic classes[CLASSES] SEC(".percpu.counts");

int tcp(struct __sk_buff *skb);
int udp(struct __sk_buff *skb);
int other(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES - FIRST_HANDLER);
	__uint(key_size, sizeof(u32));
	__array(values, int(struct __sk_buff *));
} handlers SEC(".maps") = {
	.values = {
		[STAGE_TCP - FIRST_HANDLER] = (void *)&tcp,
		[STAGE_UDP - FIRST_HANDLER] = (void *)&udp,
		[STAGE_OTHER - FIRST_HANDLER] = (void *)&other,
	},
};

static void count(struct traffic *traffic, u32 len)
{
	bpf_percpu_view_add_u64(&traffic->packets, 1);
	bpf_percpu_view_add_u64(&traffic->bytes, len);
}

static void dissect(struct __sk_buff *skb, struct handed *found)
{
	struct iphdr ip;
	u16 ports[2];

	found->stage = STAGE_OTHER;
	if (skb->protocol != bpf_htons(ETH_P_IP) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return;
	found->protocol = ip.protocol;
	found->l4 = ETH_HLEN + ip.ihl * 4;
	if (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP)
		return;
	if (bpf_skb_load_bytes(skb, found->l4, ports, sizeof(ports)))
		return;
	found->sport = bpf_ntohs(ports[0]);
	found->dport = bpf_ntohs(ports[1]);
	found->stage = ip.protocol == IPPROTO_TCP ? STAGE_TCP : STAGE_UDP;
}

/* Global, so that a program of type freplace could take its place. */
__noinline int policy(struct __sk_buff *skb)
{
	if (handed.owner != (u64)skb) {
		bpf_percpu_view_add_u64(&mixed, 1);
		return 0;
	}
	count(&stages[STAGE_POLICY], skb->len);
	handed.class = handed.dport == 53 ? 3 : handed.dport < 1024;
	return 0;
}

SEC("tc")
int parse(struct __sk_buff *skb)
{
	struct handed found = {
		.owner = (u64)skb,
		.len = skb->len,
	};

	dissect(skb, &found);
	count(&stages[STAGE_PARSE], skb->len);
	handed = found;
	policy(skb);
	bpf_tail_call(skb, &handlers, found.stage - FIRST_HANDLER);
	bpf_percpu_view_add_u64(&stopped, 1);
	return TCX_NEXT;
}

/* Counts a packet in its handler. Returns false if the data is of another packet. */
static bool take(struct __sk_buff *skb, enum stage stage)
{
	if (bpf_percpu_view_xchg_u64(&handed.owner, 0) != (u64)skb) {
		bpf_percpu_view_add_u64(&mixed, 1);
		return false;
	}
	count(&stages[stage], handed.len);
	count(&classes[handed.class % CLASSES], handed.len);
	return true;
}

SEC("tc")
int tcp(struct __sk_buff *skb)
{
	u8 flags;

	if (!take(skb, STAGE_TCP) ||
	    bpf_skb_load_bytes(skb, handed.l4 + 13, &flags, 1))
		return TCX_NEXT;
	bpf_percpu_view_add_u64(&syn, flags >> 1 & 1);
	return TCX_NEXT;
}

SEC("tc")
int udp(struct __sk_buff *skb)
{
	take(skb, STAGE_UDP);
	return TCX_NEXT;
}

SEC("tc")
int other(struct __sk_buff *skb)
{
	take(skb, STAGE_OTHER);
	return TCX_NEXT;
}
