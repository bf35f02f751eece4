// SPDX-License-Identifier: GPL-2.0

//! Types that BPF programs can store in maps, as `__kptr`.
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

/// The types with their destructors, made by [`kptr_dtors!`].
///
/// # Invariants
///
/// `dtors` points to `count` pairs of BTF ids: of a struct of this module, and of its destructor.
pub(crate) struct Dtors {
    dtors: *const bindings::btf_id_dtor_kfunc,
    count: u32,
    registered: Atomic<bool>,
}

// SAFETY: `dtors` is never written once the module is linked. The other fields are `Sync`.
unsafe impl Sync for Dtors {}

impl Dtors {
    /// # Safety
    ///
    /// `dtors` points to `count` pairs of BTF ids: of a struct of this module, and of its
    /// destructor.
    pub(crate) const unsafe fn new(dtors: *const bindings::btf_id_dtor_kfunc, count: u32) -> Self {
        // INVARIANT: The caller guarantees just this.
        Self {
            dtors,
            count,
            registered: Atomic::new(false),
        }
    }

    /// Allows the types in maps. The kernel drops the list with the module's BTF.
    ///
    /// # Errors
    ///
    /// `EBUSY` when the list is registered already; `EINVAL` for a destructor that the kernel does
    /// not accept; `ENOMEM`.
    pub(crate) fn register(&'static self, module: &'static ThisModule) -> Result {
        // The kernel accepts one list from a module.
        // ORDERING: Relaxed suffices: the exchange decides who registers, and publishes no data.
        if self.registered.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: By the type invariant there are `count` pairs, which the kernel copies.
        let ret = unsafe {
            bindings::register_btf_id_dtor_kfuncs(self.dtors, self.count, module.as_ptr())
        };
        to_result(ret).inspect_err(|_| self.registered.store(false, Relaxed))
    }
}

/// For tests of a module's list.
#[cfg(CONFIG_KUNIT = "y")]
impl Dtors {
    /// The list, as the linker has left it.
    pub(crate) fn linked(&self) -> &'static [bindings::btf_id_dtor_kfunc] {
        // SAFETY: By the type invariant there are `count` pairs. Nothing writes them once the
        // module is loaded.
        unsafe { core::slice::from_raw_parts(self.dtors, self.count as usize) }
    }

    /// Whether the list is registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.registered.load(Relaxed)
    }
}

/// Declares for each type the destructor: the function that releases a kptr which a map still holds
/// when the map, or the element, is freed.
///
/// ```ignore
/// kptr_dtors! {
///     /// The types that maps can hold.
///     pub(crate) static DTORS {
///         struct foo => foo_dtor;
///     }
/// }
/// ```
///
/// A destructor is a `#[no_mangle] unsafe extern "C" fn(*mut c_void)` with a C prototype in
/// `bindings`, as [`kfunc_set!`](super::kfunc::kfunc_set) requires of kfuncs. It is called in any
/// context.
///
/// Emits `.BTF_ids` as `BTF_ID_LIST()` does in C. The suffix `__2` distinguishes destructors from
/// the kfuncs of a set.
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
            // As `CFI_NOSEAL()`: the kernel looks up destructors by name and calls them by pointer.
            // The module takes no pointer to them, so objtool would have their `endbr64` removed.
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

            // The branches of an `if` must have the same type, so the Rust function has the
            // signature that C sees.
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

            // SAFETY: The assembly above defines the list, with a pair for each of `DTORS`.
            unsafe { $crate::bpf::kptr::Dtors::new(&raw const IDS, DTORS.len() as u32) }
        };
    };
}
pub(crate) use kptr_dtors;
