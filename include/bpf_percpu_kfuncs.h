/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prototypes of all kfuncs, once.
 *
 * The includer defines KFUNC(ret, name, args): rust/kfuncs/kfuncs.c makes a
 * body of each, for BTF; bpf_percpu.bpf.h makes the externs of BPF programs;
 * bindgen makes the declarations that the Rust functions are checked against.
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
