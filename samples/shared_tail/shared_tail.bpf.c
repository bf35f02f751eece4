// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "bpf_percpu.bpf.h"
#include "shared.h"

#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IP_OFFSET 0x1fff
#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
#define MAX_EXTENSIONS 8

char LICENSE[] SEC("license") = "GPL";

const volatile bool via_map;
/* The length of the link-layer header: 0 for devices that have none. */
const volatile __u32 l2_len = ETH_HLEN;

int tcp(struct __sk_buff *skb);
int udp(struct __sk_buff *skb);
int icmp(struct __sk_buff *skb);
int other(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES - FIRST_HANDLER);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} handlers SEC(".maps") = {
	.values = {
		[STAGE_TCP - FIRST_HANDLER] = (void *)&tcp,
		[STAGE_UDP - FIRST_HANDLER] = (void *)&udp,
		[STAGE_ICMP - FIRST_HANDLER] = (void *)&icmp,
		[STAGE_OTHER - FIRST_HANDLER] = (void *)&other,
	},
};

/* Finds the transport header. Returns false if there is none, as in later fragments. */
static bool find_transport(struct __sk_buff *skb, struct handed *found)
{
	struct ipv6_opt_hdr extension;
	struct ipv6hdr ip6;
	struct iphdr ip;
	int i;

	found->l3 = l2_len;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, found->l3, &ip, sizeof(ip)))
			return false;
		found->protocol = ip.protocol;
		found->l4 = found->l3 + ip.ihl * 4;
		return !(ip.frag_off & bpf_htons(IP_OFFSET));
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	if (bpf_skb_load_bytes(skb, found->l3, &ip6, sizeof(ip6)))
		return false;
	found->protocol = ip6.nexthdr;
	found->l4 = found->l3 + sizeof(ip6);
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 protocol = found->protocol;

		/* Stop at a fragment header: later fragments have no ports. */
		if (protocol != IPPROTO_HOPOPTS &&
		    protocol != IPPROTO_ROUTING && protocol != IPPROTO_DSTOPTS)
			return protocol != IPPROTO_FRAGMENT;
		if (bpf_skb_load_bytes(skb, found->l4, &extension,
				       sizeof(extension)))
			return false;
		found->protocol = extension.nexthdr;
		found->l4 += (extension.hdrlen + 1) * 8;
	}
	return false;
}

static void dissect(struct __sk_buff *skb, struct handed *found)
{
	struct tcphdr tcph;
	struct udphdr udph;

	found->stage = STAGE_OTHER;
	if (!find_transport(skb, found))
		return;
	switch (found->protocol) {
	case IPPROTO_TCP:
		if (bpf_skb_load_bytes(skb, found->l4, &tcph, sizeof(tcph)))
			return;
		found->sport = bpf_ntohs(tcph.source);
		found->dport = bpf_ntohs(tcph.dest);
		found->payload = found->l4 + tcph.doff * 4;
		found->stage = STAGE_TCP;
		break;
	case IPPROTO_UDP:
		if (bpf_skb_load_bytes(skb, found->l4, &udph, sizeof(udph)))
			return;
		found->sport = bpf_ntohs(udph.source);
		found->dport = bpf_ntohs(udph.dest);
		found->payload = found->l4 + sizeof(udph);
		found->stage = STAGE_UDP;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		found->payload = found->l4 + sizeof(struct icmphdr);
		found->stage = STAGE_ICMP;
		break;
	}
}

/* An freplace program replaces this function: see policy.bpf.c. */
__noinline int policy(struct __sk_buff *skb)
{
	int ret = 0;

	/* The compiler must not optimize by the argument or the result. */
	asm volatile("" : "+r"(ret) : "r"(skb));
	return ret;
}

/* Parses the packet once for all later programs. */
SEC("tcx/ingress")
int parse(struct __sk_buff *skb)
{
	struct shared *here = shared(via_map);
	struct handed found = {
		.owner = (__u64)skb,
		.len = skb->len,
	};

	if (!here)
		return TCX_NEXT;
	dissect(skb, &found);
	count(&here->stages[STAGE_PARSE], skb->len, value_of(&found));
	here->handed = found;
	policy(skb);
	bpf_tail_call(skb, &handlers, found.stage - FIRST_HANDLER);
	bpf_percpu_view_add_u64(&here->stopped, 1);
	return TCX_NEXT;
}

/*
 * Counts a packet in its handler. Returns NULL if the data in the store belongs
 * to another packet. The data is taken only once.
 */
static struct shared *take(struct __sk_buff *skb, enum stage stage)
{
	struct shared *here = shared(via_map);
	struct handed *handed;

	if (!here)
		return NULL;
	handed = &here->handed;
	if (bpf_percpu_view_xchg_u64(&handed->owner, 0) != (__u64)skb) {
		bpf_percpu_view_add_u64(&here->mixed, 1);
		return NULL;
	}
	count(&here->stages[stage], handed->len, value_of(handed));
	count(&here->classes[handed->class % CLASSES], handed->len,
	      value_of(handed));
	return here;
}

SEC("tcx/ingress")
int tcp(struct __sk_buff *skb)
{
	struct shared *here = take(skb, STAGE_TCP);
	__u8 flags;

	if (!here || bpf_skb_load_bytes(skb, here->handed.l4 + 13, &flags, 1))
		return TCX_NEXT;
	bpf_percpu_view_add_u64(&here->fin, flags & 1);
	bpf_percpu_view_add_u64(&here->syn, flags >> 1 & 1);
	bpf_percpu_view_add_u64(&here->rst, flags >> 2 & 1);
	return TCX_NEXT;
}

SEC("tcx/ingress")
int udp(struct __sk_buff *skb)
{
	take(skb, STAGE_UDP);
	return TCX_NEXT;
}

SEC("tcx/ingress")
int icmp(struct __sk_buff *skb)
{
	take(skb, STAGE_ICMP);
	return TCX_NEXT;
}

SEC("tcx/ingress")
int other(struct __sk_buff *skb)
{
	take(skb, STAGE_OTHER);
	return TCX_NEXT;
}
