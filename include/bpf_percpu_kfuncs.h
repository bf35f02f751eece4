/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prototypes of all kfuncs, once.
 *
 * The includer defines KFUNC(ret, name, args): rust/kfuncs/kfuncs.c makes a
 * body of each, for BTF; bpf_percpu.bpf.h makes the externs of BPF programs;
 * bindgen makes the declarations that the Rust functions are checked against.
 * KFUNC_DTOR() is the same for what the kernel calls, not programs.
 */

/* A line a prototype. */
/* clang-format off */

/*
 * An iteration over the CPUs of a mask, on the stack of a BPF program. Its
 * content is the kernel's.
 */
struct bpf_iter_cpumask {
	__u64 __opaque[3];
} __attribute__((aligned(8)));

/*
 * A store: a number of bytes for each possible CPU, with a name and an id.
 * Programs may read the struct, not write it. The pointer in it keeps the
 * verifier from taking a program's own memory for a store.
 */
struct bpf_percpu_store {
	void *__data;
	__u64 size; /* bytes per CPU; 0 of a keyed store, whose entries have them */
	__u32 id; /* 1 and up, never used again */
	__u64 key; /* of an entry: its key, or where its task or cgroup is */
};

/*
 * An iteration over the entries of a keyed store, on the stack of a BPF
 * program. Its content is the kernel's.
 */
struct bpf_iter_percpu_entry {
	__u64 __opaque[3];
} __attribute__((aligned(8)));

/*
 * The kernel's masks of all CPUs: trusted, never NULL, nothing to release. The
 * masks are live: a CPU that comes or goes shows at once.
 */
KFUNC(const struct cpumask *, bpf_get_possible_cpumask, (void))
KFUNC(const struct cpumask *, bpf_get_present_cpumask, (void))
KFUNC(const struct cpumask *, bpf_get_online_cpumask, (void))
KFUNC(const struct cpumask *, bpf_get_active_cpumask, (void))

/*
 * The CPUs that do the work of @type (enum hk_type); NULL from HK_TYPE_MAX on.
 * A mask that the kernel may replace is shown as of the newest call.
 */
KFUNC(const struct cpumask *, bpf_get_housekeeping_cpumask, (u32 type))

/* One more than the highest possible CPU. */
KFUNC(u32, bpf_get_nr_cpu_ids, (void))

/*
 * The first CPU of @mask after @cpu; -1 starts. nr_cpu_ids when there is none,
 * and for a @cpu that is less than -1 or too large.
 */
KFUNC(int, bpf_cpumask_next, (int cpu, const struct cpumask *mask))

/*
 * Open-coded iterator over the CPUs of @mask below nr_cpu_ids, ascending:
 * bpf_for_each(cpumask, cpu, mask) of bpf_helpers.h. In an RCU read-side
 * critical section only; NULL at the end, and for ever.
 */
KFUNC(int, bpf_iter_cpumask_new, (struct bpf_iter_cpumask *it, const struct cpumask *mask))
KFUNC(int *, bpf_iter_cpumask_next, (struct bpf_iter_cpumask *it))
KFUNC(void, bpf_iter_cpumask_destroy, (struct bpf_iter_cpumask *it))

/*
 * The store with @id, of which no reference is taken: it is valid until the
 * end of the RCU read-side critical section. NULL when there is none.
 */
KFUNC(struct bpf_percpu_store *, bpf_percpu_store_get, (u32 id))

/* A reference to the store with this name; NULL when there is none. */
KFUNC(struct bpf_percpu_store *, bpf_percpu_store_lookup, (const char *name__str))

/* A reference to @s; NULL when its last one is already gone. */
KFUNC(struct bpf_percpu_store *, bpf_percpu_store_acquire, (struct bpf_percpu_store *s))

/* Gives a reference back; the last one takes the store with it. */
KFUNC(void, bpf_percpu_store_release, (struct bpf_percpu_store *s))

/* What the kernel calls for a __kptr that a map still holds when it goes. */
KFUNC_DTOR(void, bpf_percpu_store_dtor, (void *s))

/*
 * A view: this CPU's copy from @off on, of a constant size. NULL when @off and
 * the size are past the end, and for no size.
 */
KFUNC(u8 *, bpf_percpu_store_this_cpu, (struct bpf_percpu_store *s, u32 off, const int rdwr_buf_size))

/* A view of @cpu's copy, to read only. NULL too for a CPU that is not possible. */
KFUNC(u8 *, bpf_percpu_store_per_cpu, (struct bpf_percpu_store *s, u32 cpu, u32 off, const int rdonly_buf_size))

/*
 * The entry of @task, of @cgrp or for @key in keyed store @s, for all that takes
 * a store: it is valid until the end of the RCU read-side critical section, and
 * bpf_percpu_store_acquire() makes it last longer. With BPF_LOCAL_STORAGE_GET_F_CREATE
 * in @flags, a free entry becomes theirs when they have none; its bytes are those
 * that the store was created with, on each CPU.
 *
 * NULL when there is none; for another flag, and a store that is not keyed so; and,
 * where one is to be created: when no entry is free, for a task or cgroup that is
 * about to end, and when a lock reports a deadlock (a program that interrupted this
 * very operation) or a timeout.
 *
 * The entry goes when its task or cgroup is freed.
 */
KFUNC(struct bpf_percpu_store *, bpf_percpu_task_store, (struct bpf_percpu_store *s, struct task_struct *task, u64 flags))
KFUNC(struct bpf_percpu_store *, bpf_percpu_cgroup_store, (struct bpf_percpu_store *s, struct cgroup *cgrp, u64 flags))
KFUNC(struct bpf_percpu_store *, bpf_percpu_key_store, (struct bpf_percpu_store *s, u64 key, u64 flags))

/*
 * Takes the entry away: it is not found any more, and is free again when nobody
 * can use it any more. -ENOENT when there is none; -EDEADLK and -ETIMEDOUT when
 * a lock says so, and the entry stays.
 */
KFUNC(int, bpf_percpu_task_delete, (struct bpf_percpu_store *s, struct task_struct *task))
KFUNC(int, bpf_percpu_cgroup_delete, (struct bpf_percpu_store *s, struct cgroup *cgrp))
KFUNC(int, bpf_percpu_key_delete, (struct bpf_percpu_store *s, u64 key))

/*
 * Open-coded iterator over the entries of @s, in no order: bpf_for_each(percpu_entry,
 * entry, s) of bpf_helpers.h. Each that is there all the time comes once. In an RCU
 * read-side critical section only. -EINVAL, and no entry, for a store that is not keyed.
 */
KFUNC(int, bpf_iter_percpu_entry_new, (struct bpf_iter_percpu_entry *it, struct bpf_percpu_store *s))
KFUNC(struct bpf_percpu_store *, bpf_iter_percpu_entry_next, (struct bpf_iter_percpu_entry *it))
KFUNC(void, bpf_iter_percpu_entry_destroy, (struct bpf_iter_percpu_entry *it))

/*
 * The start of this CPU's copy of the store with @id; never NULL. When there is
 * none, or a smaller one, it is spare memory that holds zeroes and that nobody
 * reads, and the kernel's log says so.
 */
KFUNC(u8 *, bpf_percpu_data, (u32 id, const int rdwr_buf_size))

/*
 * On this CPU's copy at @off, in one per-CPU instruction that neither an
 * interrupt nor an NMI can tear. -ERANGE past the end, -EINVAL when @off is not
 * a multiple of the width: then nothing has changed, *@res and *@old included.
 * add_return gives the new value, xchg and cmpxchg the old one.
 */
KFUNC(int, bpf_percpu_add_u64, (struct bpf_percpu_store *s, u32 off, u64 val))
KFUNC(int, bpf_percpu_add_u32, (struct bpf_percpu_store *s, u32 off, u32 val))
KFUNC(int, bpf_percpu_add_return_u64, (struct bpf_percpu_store *s, u32 off, u64 val, u64 *res))
KFUNC(int, bpf_percpu_add_return_u32, (struct bpf_percpu_store *s, u32 off, u32 val, u32 *res))
KFUNC(int, bpf_percpu_xchg_u64, (struct bpf_percpu_store *s, u32 off, u64 val, u64 *old))
KFUNC(int, bpf_percpu_xchg_u32, (struct bpf_percpu_store *s, u32 off, u32 val, u32 *old))
KFUNC(int, bpf_percpu_cmpxchg_u64, (struct bpf_percpu_store *s, u32 off, u64 expect, u64 val, u64 *old))
KFUNC(int, bpf_percpu_cmpxchg_u32, (struct bpf_percpu_store *s, u32 off, u32 expect, u32 val, u32 *old))

/* The same for the store with @id, looked up on the way; -ENOENT when there is none. */
KFUNC(int, bpf_percpu_id_add_u64, (u32 id, u32 off, u64 val))
KFUNC(int, bpf_percpu_id_add_u32, (u32 id, u32 off, u32 val))

/*
 * The same on a view of this CPU, whose bounds the verifier has proven: nothing
 * is left to check. On other memory they are ordinary operations, which another
 * CPU can tear.
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
 * The sum over the possible CPUs in @mask, modulo 2^64 or 2^32, of what is at
 * @off. CPUs that count meanwhile are in it or not. Errors as above.
 */
KFUNC(int, bpf_percpu_sum_u64, (struct bpf_percpu_store *s, u32 off, const struct cpumask *mask, u64 *sum))
KFUNC(int, bpf_percpu_sum_u32, (struct bpf_percpu_store *s, u32 off, const struct cpumask *mask, u32 *sum))

/*
 * What the kernel keeps of the pressure of @cgrp on @cpu (PSI); of the whole
 * system for the root. NULL for a @cpu that is not possible, where PSI is off,
 * and for a cgroup that is removed. Valid until the end of the RCU read-side
 * critical section; the kernel writes it meanwhile.
 */
KFUNC(const struct psi_group_cpu *, bpf_cgroup_psi_cpu, (struct cgroup *cgrp, u32 cpu))

/*
 * Where a __percpu pointer of the kernel's points to on @cpu: a number, for
 * bpf_core_cast() and bpf_probe_read_kernel(). 0 for NULL, and for a @cpu that
 * is not possible.
 */
KFUNC(void *, bpf_percpu_ptr, (const void *percpu__ign, u32 cpu))
