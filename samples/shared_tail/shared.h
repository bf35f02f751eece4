/* SPDX-License-Identifier: GPL-2.0 */
/* Data that the programs of a packet share, across objects. */
#ifndef SHARED_H
#define SHARED_H

/* The stages of a packet: it passes the first two, and then one of the others. */
enum stage {
	STAGE_PARSE,
	STAGE_POLICY,
	STAGE_TCP,
	STAGE_UDP,
	STAGE_ICMP,
	STAGE_OTHER,
	STAGES
};

#define FIRST_HANDLER STAGE_TCP
#define CLASSES 16

/* Information about a packet that one program hands to the next. */
struct handed {
	__u64 owner; /* the packet; 0 if the data must not be used */
	__u32 l3, l4, payload; /* offsets */
	__u32 len;
	__u16 sport, dport;
	__u8 protocol;
	__u8 class;
	__u16 stage; /* the handler */
};

struct count {
	__u64 packets, bytes;
	__u64 value; /* the sum of value_of() */
};

/* One for each CPU. All members but the first are counters. */
struct shared {
	struct handed handed;
	__u64 mixed; /* found data of another packet */
	__u64 stopped; /* found no handler */
	__u64 syn, fin, rst;
	struct count stages[STAGES];
	struct count classes[CLASSES];
};

BPF_PERCPU_STORE(store, "shared_tail", struct shared);

/* The same data without a store, for comparison. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shared);
} instead SEC(".maps");

/* This CPU's data. The verifier knows @via_map, and removes the unused branch. */
static inline struct shared *shared(bool via_map)
{
	__u32 zero = 0;

	if (via_map)
		return bpf_map_lookup_elem(&instead, &zero);
	return (struct shared *)bpf_percpu_data(store.id,
						sizeof(struct shared));
}

/* A checksum to verify that a stage has seen what the previous one handed on. */
static inline __u64 value_of(const struct handed *handed)
{
	return (__u64)handed->payload << 32 | (__u32)handed->sport << 16 |
	       handed->dport;
}

static inline void count(struct count *count, __u32 len, __u64 value)
{
	bpf_percpu_view_add_u64(&count->packets, 1);
	bpf_percpu_view_add_u64(&count->bytes, len);
	bpf_percpu_view_add_u64(&count->value, value);
}

#endif /* SHARED_H */
