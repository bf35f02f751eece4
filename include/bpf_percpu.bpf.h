/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For BPF programs: the kfuncs of bpf_percpu.ko, and macros to use them. Include
 * vmlinux.h and <bpf/bpf_helpers.h> first.
 */
#ifndef BPF_PERCPU_BPF_H
#define BPF_PERCPU_BPF_H

#define KFUNC(ret, name, args) extern ret name args __ksym;
#define KFUNC_DTOR(ret, name, args)
#include "bpf_percpu_kfuncs.h"
#undef KFUNC
#undef KFUNC_DTOR

/*
 * Runs the body for each CPU of @mask, in ascending order. @cpu is an int, as
 * for the kernel's for_each_cpu(), or an int *, as for bpf_for_each().
 *
 *	int cpu;
 *
 *	bpf_for_each_cpu(cpu, bpf_get_online_cpumask())
 *		total += load_of(cpu);
 *
 * Must be used in an RCU read-side critical section. The iterator is destroyed
 * on every exit from the loop, including break, goto and return. The macro names
 * bpf_iter_cpumask_destroy() a second time because clang does not count a
 * cleanup attribute as a use of an extern.
 */
#define bpf_for_each_cpu(cpu, mask)                               \
	for (struct bpf_iter_cpumask ___it                        \
	     __attribute__((cleanup(bpf_iter_cpumask_destroy))),  \
	     *___new __attribute__((unused)) =                    \
		     (bpf_iter_cpumask_new(&___it, (mask)),       \
		      (void)bpf_iter_cpumask_destroy, (void *)0); \
	     ({                                                   \
		     int *___cpu = bpf_iter_cpumask_next(&___it); \
		     if (___cpu)                                  \
			     (cpu) = _Generic((cpu),              \
				     int *: ___cpu,               \
				     default: *___cpu);           \
		     ___cpu;                                      \
	     });)

/* A store that a program requests from its loader: see BPF_PERCPU_STORE(). */
struct bpf_percpu_store_decl {
	__u32 id;
	__u32 size;
	char name[64];
};

#define BPF_PERCPU_STORE_SECTION ".rodata.bpf_percpu"

/*
 * Declares the store that the program counts in, with a @type for each CPU:
 *
 *	struct counts { u64 packets, bytes; };
 *	BPF_PERCPU_STORE(counts, "packet_counts", struct counts);
 *
 *	bpf_percpu_id_add_u64(counts.id, offsetof(struct counts, packets), 1);
 *
 * The loader (bpf_percpu::store) creates the store, or opens the existing one of
 * this name and size, and writes its id here before the program is loaded. The
 * verifier sees the id as a constant.
 *
 * Loaders that know nothing of this section leave the id 0, which no store has.
 * Then every lookup fails and nothing is counted.
 */
#define BPF_PERCPU_STORE(var, store_name, type)                            \
	_Static_assert(sizeof(store_name) > 1 && sizeof(store_name) <= 64, \
		       "the name of a store has 1 to 63 characters");      \
	_Static_assert(sizeof(type) > 0 && sizeof(type) <= 32768,          \
		       "a store has 1 to 32768 bytes per CPU");            \
	const volatile struct bpf_percpu_store_decl var SEC(               \
		BPF_PERCPU_STORE_SECTION) __attribute__((used)) = {        \
		.size = sizeof(type),                                      \
		.name = store_name,                                        \
	}

/* The kind of owner that entries have, as in uapi/bpf_percpu.h. */
enum bpf_percpu_key_kind {
	BPF_PERCPU_KEY_TASK = 1,
	BPF_PERCPU_KEY_CGROUP = 2,
	BPF_PERCPU_KEY_U64 = 3,
};

/* A keyed store that a program requests: see BPF_PERCPU_KEYED_STORE(). */
struct bpf_percpu_keyed_store_decl {
	__u32 id;
	__u32 size;
	__u32 key_kind;
	__u32 entries;
	char name[64];
};

#define BPF_PERCPU_KEYED_STORE_SECTION ".rodata.bpf_percpu.keyed"

/*
 * Declares a keyed store with @max_entries entries, each with a @type for each
 * CPU:
 *
 *	BPF_PERCPU_KEYED_STORE(switches, "switches", BPF_PERCPU_KEY_TASK, u64, 4096);
 *
 *	s = bpf_percpu_store_get(switches.id);
 *	if (s)
 *		entry = bpf_percpu_task_store(s, task, BPF_LOCAL_STORAGE_GET_F_CREATE);
 *
 * The loader (bpf_percpu::store) creates or opens it as for BPF_PERCPU_STORE().
 * It may change the number of entries before that.
 */
#define BPF_PERCPU_KEYED_STORE(var, store_name, kind, type, max_entries)   \
	_Static_assert(sizeof(store_name) > 1 && sizeof(store_name) <= 64, \
		       "the name of a store has 1 to 63 characters");      \
	_Static_assert(sizeof(type) > 0 && sizeof(type) <= 32768,          \
		       "an entry has 1 to 32768 bytes per CPU");           \
	_Static_assert((max_entries) > 0, "a keyed store has entries");    \
	const volatile struct bpf_percpu_keyed_store_decl var SEC(         \
		BPF_PERCPU_KEYED_STORE_SECTION) __attribute__((used)) = {  \
		.size = sizeof(type),                                      \
		.key_kind = (kind),                                        \
		.entries = (max_entries),                                  \
		.name = store_name,                                        \
	}

#endif /* BPF_PERCPU_BPF_H */
