// SPDX-License-Identifier: GPL-2.0

//! Types that BPF programs can keep in maps, as `__kptr`.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The module's types with destructors, made by [`kptr_dtors!`].
///
/// # Invariants
///
/// `dtors` points to `count` pairs of BTF ids, of a struct of this module and of its destructor.
pub(crate) struct Dtors {
    dtors: *const bindings::btf_id_dtor_kfunc,
    count: u32,
    registered: Atomic<bool>,
}

// SAFETY: `dtors` is only read, and by the kernel.
unsafe impl Sync for Dtors {}

impl Dtors {
    /// # Safety
    ///
    /// `dtors` points to `count` pairs of BTF ids, of a struct of this module and of its
    /// destructor.
    pub(crate) const unsafe fn new(dtors: *const bindings::btf_id_dtor_kfunc, count: u32) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            dtors,
            count,
            registered: Atomic::new(false),
        }
    }

    /// Lets maps keep the types. The kernel forgets them with the module's BTF.
    ///
    /// # Errors
    ///
    /// `EBUSY` when they are registered already; `EINVAL` for a destructor that the kernel does not
    /// take; `ENOMEM`.
    pub(crate) fn register(&'static self, module: &'static ThisModule) -> Result {
        // The kernel takes one list of a module.
        if self.registered.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: By the type invariant; the kernel copies the pairs.
        let ret = unsafe {
            bindings::register_btf_id_dtor_kfuncs(self.dtors, self.count, module.as_ptr())
        };
        to_result(ret).inspect_err(|_| self.registered.store(false, Relaxed))
    }
}

/// Declares which function ends a kptr that a map still holds when it goes, for each type.
///
/// ```ignore
/// kptr_dtors! {
///     /// What maps can hold.
///     pub(crate) static DTORS {
///         struct foo => foo_dtor;
///     }
/// }
/// ```
///
/// The function is `#[no_mangle] unsafe extern "C" fn(*mut c_void)`, with a C prototype in
/// `bindings`, as [`kfunc_set!`](super::kfunc::kfunc_set) asks of kfuncs. It is called in any
/// context.
///
/// Emits `.BTF_ids` as `BTF_ID_LIST()` does in C. `__2` tells a destructor from the kfuncs of a
/// set.
macro_rules! kptr_dtors {
    (
        $(#[$attr:meta])*
        $vis:vis static $list:ident {
            $(struct $ty:ident => $dtor:ident;)+
        }
    ) => {
        ::core::arch::global_asm!(
            concat!(
                ".pushsection .BTF_ids, \"a\"\n",
                ".balign 4\n",
                ".globl ", stringify!($list), "\n",
                stringify!($list), ":",
            ),
            $(concat!(
                $crate::bpf::btf_id::btf_id!(struct $ty, "2"),
                $crate::bpf::btf_id::btf_id!(func $dtor, "2"),
            ),)+
            ".popsection",
            // As `CFI_NOSEAL()`: the kernel calls destructors by a pointer that it has found by
            // name. The module takes none, so objtool would have their `endbr64` removed.
            $(concat!(
                ".pushsection .discard.ibt_endbr_noseal\n",
                ".quad ", stringify!($dtor), "\n",
                ".popsection",
            ),)+
            options(att_syntax),
        );

        $(#[$attr])*
        $vis static $list: $crate::bpf::kptr::Dtors = {
            const DTORS: &[unsafe extern "C" fn(*mut ::kernel::ffi::c_void)] = &[$($dtor),+];

            // The branches of an `if` have one type: what C sees is what Rust defines.
            $(
                if true {
                    $crate::bindings::$dtor
                } else {
                    $dtor
                };
            )+

            extern "C" {
                #[link_name = stringify!($list)]
                static IDS: ::kernel::bindings::btf_id_dtor_kfunc;
            }

            // SAFETY: The list was made above, with so many pairs.
            unsafe { $crate::bpf::kptr::Dtors::new(&raw const IDS, DTORS.len() as u32) }
        };
    };
}
pub(crate) use kptr_dtors;

#[kunit_tests(bpf_percpu_kptr)]
mod tests {
    use super::*;
    use crate::kfuncs::BPF_PERCPU_DTORS;
    use core::slice;

    const MODULE: &ThisModule = &<crate::LocalModule as kernel::ModuleMetadata>::THIS_MODULE;

    #[test]
    fn are_registered_once() {
        assert!(BPF_PERCPU_DTORS.registered.load(Relaxed));
        for _ in 0..2 {
            assert_eq!(BPF_PERCPU_DTORS.register(MODULE), Err(EBUSY));
        }
        assert!(BPF_PERCPU_DTORS.registered.load(Relaxed));
    }

    #[test]
    fn ids_are_resolved() {
        // SAFETY: By the invariant of `Dtors`; nobody writes there once the module is loaded.
        let dtors = unsafe {
            slice::from_raw_parts(BPF_PERCPU_DTORS.dtors, BPF_PERCPU_DTORS.count as usize)
        };
        // `struct bpf_percpu_store`.
        assert_eq!(dtors.len(), 1);
        assert!(dtors[0].btf_id != 0);
        assert!(dtors[0].kfunc_btf_id != 0);
        assert!(dtors[0].btf_id != dtors[0].kfunc_btf_id);
    }
}
