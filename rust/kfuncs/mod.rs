// SPDX-License-Identifier: GPL-2.0

//! The kfuncs that BPF programs call.
//!
//! One file a family. Here a kfunc checks its arguments and calls the part that does the work;
//! what that part may rely on, the verifier has proven from the prototype and the flags. The
//! prototypes are in `include/bpf_percpu_kfuncs.h`, which also says what each kfunc does;
//! `kfuncs.c` makes BTF of them.

mod cpumask;

use crate::bpf::kfunc::kfunc_set;
use cpumask::*;

kfunc_set! {
    /// What bpf_percpu.ko offers, to programs of every type.
    pub(crate) static BPF_PERCPU_KFUNCS for hook::All {
        bpf_get_possible_cpumask = [];
        bpf_get_present_cpumask = [];
        bpf_get_online_cpumask = [];
        bpf_get_active_cpumask = [];
        bpf_get_housekeeping_cpumask = [RET_NULL];
        bpf_get_nr_cpu_ids = [];
        bpf_cpumask_next = [RCU];
        bpf_iter_cpumask_new = [ITER_NEW, RCU, RCU_PROTECTED];
        bpf_iter_cpumask_next = [ITER_NEXT, RET_NULL];
        bpf_iter_cpumask_destroy = [ITER_DESTROY];
    }
}
