// SPDX-License-Identifier: GPL-2.0
/*
 * BTF for kfuncs written in Rust.
 *
 * pahole reads no Rust unit, so each kfunc has a weak body here: BTF takes the
 * prototype, the linker takes the strong symbol of the same name from Rust.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/cgroup.h>
#include <linux/cpumask.h>

__bpf_kfunc_start_defs();

#define KFUNC(ret, name, args)                   \
	__weak __bpf_kfunc notrace ret name args \
	{                                        \
		__builtin_trap();                \
	}
#define KFUNC_DTOR KFUNC
#include "../../include/bpf_percpu_kfuncs.h"

__bpf_kfunc_end_defs();
