/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prototypes of all kfuncs, in one place.
 *
 * The includer defines KFUNC(ret, name, args). rust/kfuncs/kfuncs.c defines an
 * empty function for each, for BTF. bpf_percpu.bpf.h declares the externs for
 * BPF programs. bindgen generates the declarations that the Rust functions are
 * checked against. KFUNC_DTOR() is for functions that the kernel calls, not
 * programs.
 */

/* One line for each prototype. */
/* clang-format off */

/*
 * An iteration over the CPUs of a mask, on the stack of a BPF program. The
 * content is private to the module.
 */
struct bpf_iter_cpumask {
	__u64 __opaque[3];
} __attribute__((aligned(8)));

/*
 * A store: a slot of some bytes for each possible CPU, with a name and an id.
 * Programs may read the struct, but not write it. Because it contains a
 * pointer, the verifier does not accept a program's own memory as a store.
 */
struct bpf_percpu_store {
	void *__data;
	__u64 size; /* bytes per CPU; 0 for a keyed store, only its entries have bytes */
	__u32 id; /* at least 1, never reused */
	__u64 key; /* of an entry: its key, or the address of its task or cgroup */
};

/*
 * An iteration over the entries of a keyed store, on the stack of a BPF
 * program. The content is private to the module.
 */
struct bpf_iter_percpu_entry {
	__u64 __opaque[3];
} __attribute__((aligned(8)));

/*
 * The kernel's CPU masks: trusted, never NULL, nothing to release. The masks
 * are live: hotplug shows at once.
 */
KFUNC(const struct cpumask *, bpf_get_possible_cpumask, (void))
KFUNC(const struct cpumask *, bpf_get_present_cpumask, (void))
KFUNC(const struct cpumask *, bpf_get_online_cpumask, (void))
KFUNC(const struct cpumask *, bpf_get_active_cpumask, (void))

/*
 * The CPUs that do the housekeeping work of @type (enum hk_type). Returns a
 * copy, which every call updates, because the kernel may replace its mask.
 * NULL if @type is HK_TYPE_MAX or larger.
 */
KFUNC(const struct cpumask *, bpf_get_housekeeping_cpumask, (u32 type))

/* One more than the highest possible CPU number. */
KFUNC(u32, bpf_get_nr_cpu_ids, (void))

/*
 * The first CPU of @mask after @cpu; pass -1 to start. Returns nr_cpu_ids if
 * there is none, or if @cpu is less than -1 or too large.
 */
KFUNC(int, bpf_cpumask_next, (int cpu, const struct cpumask *mask))

/*
 * Open-coded iterator over the CPUs of @mask below nr_cpu_ids, in ascending
 * order, for bpf_for_each(cpumask, cpu, mask) of bpf_helpers.h. Must be used in
 * an RCU read-side critical section. Once bpf_iter_cpumask_next() has returned
 * NULL, it always does.
 */
KFUNC(int, bpf_iter_cpumask_new, (struct bpf_iter_cpumask *it, const struct cpumask *mask))
KFUNC(int *, bpf_iter_cpumask_next, (struct bpf_iter_cpumask *it))
KFUNC(void, bpf_iter_cpumask_destroy, (struct bpf_iter_cpumask *it))

/*
 * The store with @id; NULL if there is none. Takes no reference: the store is
 * valid until the end of the RCU read-side critical section.
 */
KFUNC(struct bpf_percpu_store *, bpf_percpu_store_get, (u32 id))

/* Takes a reference to the store with this name; NULL if there is none. */
KFUNC(struct bpf_percpu_store *, bpf_percpu_store_lookup, (const char *name__str))

/* Takes a reference to @s; NULL if the last one is already gone. */
KFUNC(struct bpf_percpu_store *, bpf_percpu_store_acquire, (struct bpf_percpu_store *s))

/* Drops a reference. Dropping the last one removes the store. */
KFUNC(void, bpf_percpu_store_release, (struct bpf_percpu_store *s))

/* The kernel calls this for a __kptr that is still in a map when the map is freed. */
KFUNC_DTOR(void, bpf_percpu_store_dtor, (void *s))

/*
 * A view of this CPU's slot from @off on, of a constant size. NULL if it would
 * end past the end of the slot, or if the size is 0.
 */
KFUNC(u8 *, bpf_percpu_store_this_cpu, (struct bpf_percpu_store *s, u32 off, const int rdwr_buf_size))

/* A read-only view of @cpu's slot. NULL also if the CPU is not possible. */
KFUNC(u8 *, bpf_percpu_store_per_cpu, (struct bpf_percpu_store *s, u32 cpu, u32 off, const int rdonly_buf_size))

/*
 * The entry of @task, of @cgrp or for @key in the keyed store @s. Every kfunc
 * that takes a store takes an entry. It is valid until the end of the RCU
 * read-side critical section, or longer with bpf_percpu_store_acquire(). With
 * BPF_LOCAL_STORAGE_GET_F_CREATE in @flags, an owner that has no entry gets a
 * free one. Each CPU's slot of a new entry has the initial value of the store.
 *
 * Returns NULL if there is no entry, for an unknown flag, and if the store is
 * keyed by another kind of owner. When it should create an entry, also NULL if
 * no entry is free, if the task or cgroup is about to end, and if a lock reports
 * a deadlock (the program interrupted this very operation) or a timeout.
 *
 * The entry is removed when its task or cgroup is freed.
 */
KFUNC(struct bpf_percpu_store *, bpf_percpu_task_store, (struct bpf_percpu_store *s, struct task_struct *task, u64 flags))
KFUNC(struct bpf_percpu_store *, bpf_percpu_cgroup_store, (struct bpf_percpu_store *s, struct cgroup *cgrp, u64 flags))
KFUNC(struct bpf_percpu_store *, bpf_percpu_key_store, (struct bpf_percpu_store *s, u64 key, u64 flags))

/*
 * Removes the entry. Lookups no longer find it, and it becomes free again when
 * no program can still use it. -ENOENT if there is none. -EDEADLK or -ETIMEDOUT
 * if a lock reports it, and the entry stays.
 */
KFUNC(int, bpf_percpu_task_delete, (struct bpf_percpu_store *s, struct task_struct *task))
KFUNC(int, bpf_percpu_cgroup_delete, (struct bpf_percpu_store *s, struct cgroup *cgrp))
KFUNC(int, bpf_percpu_key_delete, (struct bpf_percpu_store *s, u64 key))

/*
 * Open-coded iterator over the entries of @s that have an owner, in no particular
 * order, for bpf_for_each(percpu_entry, entry, s) of bpf_helpers.h. It visits each
 * entry that exists during the whole walk exactly once. Must be used in an RCU
 * read-side critical section. -EINVAL, and no entry, if the store is not keyed.
 */
KFUNC(int, bpf_iter_percpu_entry_new, (struct bpf_iter_percpu_entry *it, struct bpf_percpu_store *s))
KFUNC(struct bpf_percpu_store *, bpf_iter_percpu_entry_next, (struct bpf_iter_percpu_entry *it))
KFUNC(void, bpf_iter_percpu_entry_destroy, (struct bpf_iter_percpu_entry *it))

/*
 * A view of the start of this CPU's slot in the store with @id; never NULL. If
 * there is no such store, or if it is smaller, the view points to fallback
 * memory, which is zero at first. Counts added there are lost, and the kernel's
 * log says so.
 */
KFUNC(u8 *, bpf_percpu_data, (u32 id, const int rdwr_buf_size))

/*
 * Operations on the number at @off in this CPU's slot, in one per-CPU
 * instruction that neither an interrupt nor an NMI can tear. -ERANGE if the
 * number ends past the end, -EINVAL if @off is not a multiple of the width. On
 * an error nothing changes, including *@res and *@old. add_return gives the new
 * value, xchg and cmpxchg the old one.
 */
KFUNC(int, bpf_percpu_add_u64, (struct bpf_percpu_store *s, u32 off, u64 val))
KFUNC(int, bpf_percpu_add_u32, (struct bpf_percpu_store *s, u32 off, u32 val))
KFUNC(int, bpf_percpu_add_return_u64, (struct bpf_percpu_store *s, u32 off, u64 val, u64 *res))
KFUNC(int, bpf_percpu_add_return_u32, (struct bpf_percpu_store *s, u32 off, u32 val, u32 *res))
KFUNC(int, bpf_percpu_xchg_u64, (struct bpf_percpu_store *s, u32 off, u64 val, u64 *old))
KFUNC(int, bpf_percpu_xchg_u32, (struct bpf_percpu_store *s, u32 off, u32 val, u32 *old))
KFUNC(int, bpf_percpu_cmpxchg_u64, (struct bpf_percpu_store *s, u32 off, u64 expect, u64 val, u64 *old))
KFUNC(int, bpf_percpu_cmpxchg_u32, (struct bpf_percpu_store *s, u32 off, u32 expect, u32 val, u32 *old))

/* Looks up the store with @id and adds; -ENOENT if there is none. */
KFUNC(int, bpf_percpu_id_add_u64, (u32 id, u32 off, u64 val))
KFUNC(int, bpf_percpu_id_add_u32, (u32 id, u32 off, u32 val))

/*
 * The same operations on a view of this CPU. The verifier has proven the bounds,
 * so nothing is checked at run time. On other memory they are ordinary
 * operations, which another CPU can tear.
 */
KFUNC(void, bpf_percpu_view_add_u64, (u64 *view, u64 val))
KFUNC(void, bpf_percpu_view_add_u32, (u32 *view, u32 val))
KFUNC(u64, bpf_percpu_view_add_return_u64, (u64 *view, u64 val))
KFUNC(u32, bpf_percpu_view_add_return_u32, (u32 *view, u32 val))
KFUNC(u64, bpf_percpu_view_xchg_u64, (u64 *view, u64 val))
KFUNC(u32, bpf_percpu_view_xchg_u32, (u32 *view, u32 val))
KFUNC(u64, bpf_percpu_view_cmpxchg_u64, (u64 *view, u64 expect, u64 val))
KFUNC(u32, bpf_percpu_view_cmpxchg_u32, (u32 *view, u32 expect, u32 val))

/*
 * Adds up the numbers at @off of the possible CPUs in @mask, modulo 2^64 or
 * 2^32. The sum may or may not include what a CPU adds during the call. Errors
 * as above.
 */
KFUNC(int, bpf_percpu_sum_u64, (struct bpf_percpu_store *s, u32 off, const struct cpumask *mask, u64 *sum))
KFUNC(int, bpf_percpu_sum_u32, (struct bpf_percpu_store *s, u32 off, const struct cpumask *mask, u32 *sum))

/*
 * The kernel's pressure data (PSI) of @cgrp on @cpu; for the root cgroup, that
 * of the whole system. NULL if @cpu is not possible, if PSI is off, and if the
 * cgroup has been removed. Valid until the end of the RCU read-side critical
 * section. The kernel may update the data at any time.
 */
KFUNC(const struct psi_group_cpu *, bpf_cgroup_psi_cpu, (struct cgroup *cgrp, u32 cpu))

/*
 * The address of a __percpu pointer of the kernel on @cpu: a number, for
 * bpf_core_cast() and bpf_probe_read_kernel(). 0 if the pointer is NULL or @cpu
 * is not possible.
 */
KFUNC(void *, bpf_percpu_ptr, (const void *percpu__ign, u32 cpu))
