// SPDX-License-Identifier: GPL-2.0
/*
 * BTF for kfuncs written in Rust.
 *
 * pahole reads no Rust unit, so each kfunc has a weak body here: BTF takes the
 * prototype, the linker takes the strong symbol of the same name from Rust.
 *
 * The kernel's structs are only declared, and pahole resolves that to vmlinux's.
 * It may not unite definitions with vmlinux's: to libbpf 1.5 equal pointers that
 * gcc describes twice are different types, and before 7.3 the kernel's build does
 * not deduplicate once more. Then the verifier would refuse the kernel's structs.
 */
#include <linux/btf.h>
#include <linux/types.h>

struct cgroup;
struct cpumask;
struct psi_group_cpu;
struct task_struct;

__bpf_kfunc_start_defs();

#define KFUNC(ret, name, args)                   \
	__weak __bpf_kfunc notrace ret name args \
	{                                        \
		__builtin_trap();                \
	}
#define KFUNC_DTOR KFUNC
#include "../../include/bpf_percpu_kfuncs.h"

__bpf_kfunc_end_defs();
