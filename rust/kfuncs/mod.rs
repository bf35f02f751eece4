// SPDX-License-Identifier: GPL-2.0

//! The kfuncs that BPF programs call.
//!
//! There is one file for each family. A kfunc checks its arguments and calls the part that does the
//! work. What the verifier has proven about the arguments follows from the prototype and from the
//! flags. The prototypes are in `include/bpf_percpu_kfuncs.h`, which also says what each kfunc does
//! for its users; `kfuncs.c` turns them into BTF.

/// Defines kfuncs that differ only in the width of their integers.
///
/// They share a doc comment and a body, which is written once, after the prototypes:
///
/// ```ignore
/// kfuncs_by_width! {
///     /// Doubles `val`.
///     ///
///     /// Context: any.
///     ///
///     /// # Safety
///     ///
///     /// Always safe to call.
///     fn bpf_double_u64(val: u64) -> u64;
///     fn bpf_double_u32(val: u32) -> u32;
///     {
///         val.wrapping_mul(2)
///     }
/// }
/// ```
macro_rules! kfuncs_by_width {
    ($(
        $(#[$attr:meta])*
        $(fn $name:ident $args:tt $(-> $ret:ty)?;)+
        $body:block
    )+) => {
        $(kfuncs_by_width!(@each [$(#[$attr])*] $body $(fn $name $args $(-> $ret)?;)+);)+
    };
    (@each $attrs:tt $body:block) => {};
    (
        @each [$(#[$attr:meta])*] $body:block
        fn $name:ident $args:tt $(-> $ret:ty)?;
        $($others:tt)*
    ) => {
        $(#[$attr])*
        #[no_mangle]
        pub(crate) unsafe extern "C" fn $name $args $(-> $ret)? $body

        kfuncs_by_width!(@each [$(#[$attr])*] $body $($others)*);
    };
}
use kfuncs_by_width;

mod cpumask;
mod data;
#[cfg(CONFIG_KUNIT = "y")]
mod fixtures;
mod keyed;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;
mod percpu;
mod psi;
mod store;
mod view;

use crate::bpf::{
    kfunc::kfunc_set,
    kptr::kptr_dtors, //
};
use cpumask::*;
use data::*;
use keyed::*;
use percpu::*;
use psi::*;
use store::*;
use view::*;

pub(crate) use data::FallbackGuard;

kptr_dtors! {
    /// The types that maps of BPF programs can hold.
    pub(crate) static BPF_PERCPU_DTORS {
        struct bpf_percpu_store => bpf_percpu_store_dtor;
    }
}

kfunc_set! {
    /// The kfuncs of bpf_percpu.ko, for programs of every type.
    pub(crate) static BPF_PERCPU_KFUNCS for hook::All, filter = data::filter {
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

        bpf_percpu_store_get = [RET_NULL, RCU_PROTECTED];
        bpf_percpu_store_lookup = [ACQUIRE, RET_NULL];
        bpf_percpu_store_acquire = [ACQUIRE, RET_NULL, RCU];
        bpf_percpu_store_release = [RELEASE];
        bpf_percpu_store_this_cpu = [RET_NULL, RCU];
        bpf_percpu_store_per_cpu = [RET_NULL, RCU];
        bpf_percpu_data = [];

        bpf_percpu_task_store = [RET_NULL, RCU, RCU_PROTECTED];
        bpf_percpu_cgroup_store = [RET_NULL, RCU, RCU_PROTECTED];
        bpf_percpu_key_store = [RET_NULL, RCU, RCU_PROTECTED];
        bpf_percpu_task_delete = [RCU, RCU_PROTECTED];
        bpf_percpu_cgroup_delete = [RCU, RCU_PROTECTED];
        bpf_percpu_key_delete = [RCU, RCU_PROTECTED];
        bpf_iter_percpu_entry_new = [ITER_NEW, RCU, RCU_PROTECTED];
        bpf_iter_percpu_entry_next = [ITER_NEXT, RET_NULL];
        bpf_iter_percpu_entry_destroy = [ITER_DESTROY];

        bpf_percpu_add_u64 = [RCU];
        bpf_percpu_add_u32 = [RCU];
        bpf_percpu_add_return_u64 = [RCU];
        bpf_percpu_add_return_u32 = [RCU];
        bpf_percpu_xchg_u64 = [RCU];
        bpf_percpu_xchg_u32 = [RCU];
        bpf_percpu_cmpxchg_u64 = [RCU];
        bpf_percpu_cmpxchg_u32 = [RCU];
        bpf_percpu_id_add_u64 = [RCU_PROTECTED];
        bpf_percpu_id_add_u32 = [RCU_PROTECTED];
        bpf_percpu_sum_u64 = [RCU];
        bpf_percpu_sum_u32 = [RCU];

        bpf_percpu_view_add_u64 = [];
        bpf_percpu_view_add_u32 = [];
        bpf_percpu_view_add_return_u64 = [];
        bpf_percpu_view_add_return_u32 = [];
        bpf_percpu_view_xchg_u64 = [];
        bpf_percpu_view_xchg_u32 = [];
        bpf_percpu_view_cmpxchg_u64 = [];
        bpf_percpu_view_cmpxchg_u32 = [];

        bpf_cgroup_psi_cpu = [RET_NULL, RCU, RCU_PROTECTED];
        bpf_percpu_ptr = [];
    }
}
