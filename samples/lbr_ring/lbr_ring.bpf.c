// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_percpu.bpf.h"

/* A power of two, so that a mask turns a number into an index. */
#define ENTRIES 512

#define ENOENT 2
#define ENOSPC 28

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val) (*(volatile typeof(x) *)&(x) = (val))

enum kind { KIND_CALL, KIND_RETURN, KIND_EVENT };

/*
 * A record of an event. The writer sets @claim, then the fields in between, then
 * @done. A reader on another CPU reads them in the opposite order. The record is
 * complete if both are its number.
 */
struct entry {
	__u64 done;
	__u64 ip; /* for KIND_EVENT: the tracepoint's index */
	__u64 ts;
	__u32 tid;
	__u32 kind;
	char comm[TASK_COMM_LEN];
	__u64 claim;
};

/* One for each CPU. */
struct ring {
	__u64 head; /* the number of the newest record, from 1 */
	__u64 frozen; /* set while a trigger copies, and in its dumps */
	__u64 skipped; /* events while it was frozen */
	__u64 ts; /* of the dump, like the next three */
	__u32 tid;
	__u32 cpu; /* set by the loader: programs do not read their CPU */
	char comm[TASK_COMM_LEN];
	struct entry entries[ENTRIES];
};

BPF_PERCPU_STORE(rings, "lbr_ring", struct ring);

/* Dumps for the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} dumps SEC(".maps");

char LICENSE[] SEC("license") = "GPL";

/* The process to record; 0 for all. */
const volatile __u32 only_pid;

/* Dumps that did not fit into the ring buffer. */
__u64 lost;

static bool is_wanted(void)
{
	return !only_pid || bpf_get_current_pid_tgid() >> 32 == only_pid;
}

static struct ring *this_ring(void)
{
	return (struct ring *)bpf_percpu_data(rings.id, sizeof(struct ring));
}

/*
 * One instruction claims the number. A program that interrupts this one gets
 * another number, and so another record.
 */
static void record(__u64 ip, __u32 kind)
{
	struct ring *ring = this_ring();
	struct entry *entry;
	__u64 number;

	if (READ_ONCE(ring->frozen)) {
		bpf_percpu_view_add_u64(&ring->skipped, 1);
		return;
	}
	number = bpf_percpu_view_add_return_u64(&ring->head, 1);
	entry = &ring->entries[number & (ENTRIES - 1)];

	WRITE_ONCE(entry->claim, number);
	barrier();
	entry->ip = ip;
	entry->ts = bpf_ktime_get_ns();
	entry->tid = bpf_get_current_pid_tgid();
	entry->kind = kind;
	bpf_get_current_comm(entry->comm, sizeof(entry->comm));
	barrier();
	WRITE_ONCE(entry->done, number);
}

/* Returning 1 for a call skips its return. */
SEC("kprobe.session")
int function(struct pt_regs *ctx)
{
	bool is_return = bpf_session_is_return(ctx);

	if (!is_return && !is_wanted())
		return 1;
	record(bpf_get_func_ip(ctx), is_return ? KIND_RETURN : KIND_CALL);
	return 0;
}

/* The cookie is the tracepoint's index. This may interrupt function(). */
SEC("raw_tp")
int event(struct bpf_raw_tracepoint_args *ctx)
{
	if (is_wanted())
		record(bpf_get_attach_cookie(ctx), KIND_EVENT);
	return 0;
}

/*
 * Sends this CPU's ring in its current state. Nothing writes to it during the
 * copy: preemption is off, and programs in interrupts see that it is frozen.
 */
static int dump(void)
{
	struct ring *ring;

	if (!is_wanted())
		return 0;
	bpf_preempt_disable();
	ring = this_ring();
	/* A trigger that interrupts another one does not touch the ring. */
	if (!bpf_percpu_view_xchg_u64(&ring->frozen, 1)) {
		ring->ts = bpf_ktime_get_ns();
		ring->tid = bpf_get_current_pid_tgid();
		bpf_get_current_comm(ring->comm, sizeof(ring->comm));
		if (bpf_ringbuf_output(&dumps, ring, sizeof(*ring), 0))
			__sync_fetch_and_add(&lost, 1);
		WRITE_ONCE(ring->frozen, 0);
	} else {
		__sync_fetch_and_add(&lost, 1);
	}
	bpf_preempt_enable();
	return 0;
}

SEC("fentry")
int on_function(void *ctx)
{
	return dump();
}

/* For functions that the kernel's BTF lacks. */
SEC("kprobe.multi")
int on_kprobe(struct pt_regs *ctx)
{
	return dump();
}

SEC("raw_tp")
int on_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	return dump();
}

/* The argument of read_ring(). */
struct wanted {
	__u32 cpu;
};

/* Sends the ring of a CPU while that CPU goes on. Returns 0 or an errno. */
SEC("syscall")
int read_ring(struct wanted *wanted)
{
	struct bpf_percpu_store *store;
	const volatile struct ring *ring = NULL;
	struct ring *copy;
	int i, err = -ENOENT;

	bpf_rcu_read_lock();
	store = bpf_percpu_store_get(rings.id);
	if (store)
		ring = (const volatile struct ring *)bpf_percpu_store_per_cpu(
			store, wanted->cpu, 0, sizeof(*ring));
	if (!ring)
		goto out;
	err = -ENOSPC;
	copy = bpf_ringbuf_reserve(&dumps, sizeof(*copy), 0);
	if (!copy)
		goto out;

	copy->head = ring->head;
	copy->frozen = 0;
	copy->skipped = ring->skipped;
	copy->ts = bpf_ktime_get_ns();
	copy->tid = 0;
	copy->comm[0] = '\0';
	copy->cpu = ring->cpu;
	/* Read each field once and in this order: see struct entry. */
	bpf_for(i, 0, ENTRIES)
	{
		const volatile struct entry *from = &ring->entries[i];
		struct entry *to = &copy->entries[i];

		to->done = from->done;
		barrier();
		to->ip = from->ip;
		to->ts = from->ts;
		to->tid = from->tid;
		to->kind = from->kind;
		__builtin_memcpy(to->comm, (const char *)from->comm,
				 sizeof(to->comm));
		barrier();
		to->claim = from->claim;
	}
	bpf_ringbuf_submit(copy, 0);
	err = 0;
out:
	bpf_rcu_read_unlock();
	return err;
}
