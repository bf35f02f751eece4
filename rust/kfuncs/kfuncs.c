// SPDX-License-Identifier: GPL-2.0
/*
 * BTF for kfuncs written in Rust.
 *
 * pahole skips Rust units, so each kfunc has a weak body here: BTF gets its
 * prototype, and the linker prefers the strong symbol of that name, from Rust.
 *
 * The kernel's structs are only declared, which pahole resolves to vmlinux's
 * definitions. Were they defined, it might not merge them with vmlinux's: libbpf
 * 1.5 treats equal pointer types that gcc describes twice as different, and the
 * kernel's build deduplicates a second time only from 7.3 on. The verifier would
 * then refuse the kernel's structs as arguments.
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
