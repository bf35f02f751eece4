// SPDX-License-Identifier: GPL-2.0

//! Sets of BPF kfuncs.
//!
//! A set is declared by [`kfunc_set!`], a table of functions and flags, and registered by the
//! module when it starts. The kernel forgets it with the module's BTF, when the module leaves; a
//! program that calls one of the kfuncs holds the module.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)
//!
//! Reference: [`Documentation/bpf/kfuncs.rst`](srctree/Documentation/bpf/kfuncs.rst)

mod check;

use core::ptr;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

pub(crate) use check::check;

/// What the verifier must know of a kfunc: `KF_*` in `include/linux/btf.h`.
///
/// `KF_FASTCALL` is missing on purpose: the verifier would believe that the kfunc spares the
/// caller's registers, which no compiled function does.
#[expect(dead_code, reason = "the table of the kernel, not of one module")]
pub(crate) mod flag {
    use kernel::bindings;

    /// Returns a reference that the program must release or store.
    pub(crate) const ACQUIRE: u32 = bindings::KF_ACQUIRE;
    /// Takes back a reference.
    pub(crate) const RELEASE: u32 = bindings::KF_RELEASE;
    /// The returned pointer may be NULL.
    pub(crate) const RET_NULL: u32 = bindings::KF_RET_NULL;
    /// May sleep: for sleepable programs, outside of RCU sections.
    pub(crate) const SLEEPABLE: u32 = bindings::KF_SLEEPABLE;
    /// Needs `CAP_SYS_BOOT`.
    pub(crate) const DESTRUCTIVE: u32 = bindings::KF_DESTRUCTIVE;
    /// Pointer arguments may be RCU protected instead of trusted.
    pub(crate) const RCU: u32 = bindings::KF_RCU;
    /// Constructor of an open-coded iterator.
    pub(crate) const ITER_NEW: u32 = bindings::KF_ITER_NEW;
    /// Step of an open-coded iterator.
    pub(crate) const ITER_NEXT: u32 = bindings::KF_ITER_NEXT;
    /// Destructor of an open-coded iterator.
    pub(crate) const ITER_DESTROY: u32 = bindings::KF_ITER_DESTROY;
    /// May be called, and what it returns used, only inside an RCU section.
    pub(crate) const RCU_PROTECTED: u32 = bindings::KF_RCU_PROTECTED;
}

/// Where kfuncs are offered: the kernel's `enum btf_kfunc_hook`, by the program types of each.
///
/// A module has one set for a hook, for the kernel drops all kfuncs of a module that registers a
/// second. Program types that share a hook are one type here.
pub(crate) mod hook {
    /// A hook of the kernel's.
    pub(crate) trait Hook {
        /// A `BPF_PROG_TYPE_*` of the hook; any of them names it.
        const PROG_TYPE: u32;
    }

    /// Marks a hook that has a set. [`kfunc_set!`](super::kfunc_set) implements it, so that a
    /// second set for the hook does not compile.
    pub(crate) trait HasSet {}

    /// Programs of every type.
    pub(crate) struct All;

    impl Hook for All {
        const PROG_TYPE: u32 = kernel::bindings::bpf_prog_type_BPF_PROG_TYPE_UNSPEC;
    }
}

/// A kfunc of a set: its name and flags.
#[derive(Clone, Copy)]
pub(crate) struct Kfunc {
    name: &'static str,
    flags: u32,
}

impl Kfunc {
    /// The kfunc `name`, with the sum of `flags`.
    pub(crate) const fn new(name: &'static str, flags: &[u32]) -> Self {
        let mut sum = 0;
        let mut i = 0;
        while i < flags.len() {
            sum |= flags[i];
            i += 1;
        }
        Self { name, flags: sum }
    }

    /// The flags, as the kernel wants them.
    pub(crate) const fn flags(&self) -> u32 {
        self.flags
    }

    const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// A set of kfuncs, made by [`kfunc_set!`].
///
/// # Invariants
///
/// `set` is a `BTF_KFUNCS_START()` set of this module.
pub(crate) struct KfuncSet {
    prog_type: u32,
    set: *const bindings::btf_id_set8,
    filter: Filter,
    registered: Atomic<bool>,
    #[cfg(CONFIG_KUNIT = "y")]
    kfuncs: &'static [Kfunc],
}

/// Asked by the verifier for each call of a kfunc of the module: whether the program may call the
/// one with this BTF id, as the kernel knows it. An errno says no.
///
/// Context: process, may sleep.
pub(crate) type Filter =
    Option<unsafe extern "C" fn(prog: *const bindings::bpf_prog, kfunc: u32) -> c_int>;

// SAFETY: `set` is only read, and by the kernel.
unsafe impl Sync for KfuncSet {}

impl KfuncSet {
    /// # Safety
    ///
    /// `set` is a `BTF_KFUNCS_START()` set of this module, of `kfuncs`, and used by this value only.
    pub(crate) const unsafe fn new<H: hook::Hook + hook::HasSet>(
        set: *const bindings::btf_id_set8,
        filter: Filter,
        #[cfg_attr(not(CONFIG_KUNIT = "y"), expect(unused_variables))] kfuncs: &'static [Kfunc],
    ) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            prog_type: H::PROG_TYPE,
            set,
            filter,
            registered: Atomic::new(false),
            #[cfg(CONFIG_KUNIT = "y")]
            kfuncs,
        }
    }

    /// Offers the kfuncs to BPF programs, from the end of the module's init on, which is where this
    /// is called.
    ///
    /// # Errors
    ///
    /// `EBUSY` when the set is registered already; `EINVAL` when the kernel refuses it, for a
    /// kfunc whose name the kernel has itself, or for signatures that it does not know; `ENOMEM`.
    /// Of a module without BTF the kernel takes the set, and offers nothing: the build sees to that.
    pub(crate) fn register(&'static self, module: &'static ThisModule) -> Result<Registration> {
        if self.registered.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        let id_set = bindings::btf_kfunc_id_set {
            owner: module.as_ptr(),
            set: self.set.cast_mut(),
            filter: self.filter,
        };
        // SAFETY: By the type invariant `set` is a set of kfuncs, which the kernel only reads;
        // `id_set` is valid for the call, which copies what it needs.
        let ret =
            unsafe { bindings::register_btf_kfunc_id_set(self.prog_type, ptr::from_ref(&id_set)) };
        to_result(ret).inspect_err(|_| self.registered.store(false, Relaxed))?;
        Ok(Registration(()))
    }
}

/// A set that BPF programs can use.
///
/// Kept by the module to say what it owns. Nothing happens when it is dropped: the kernel has no
/// call to unregister a set, and drops it with the module.
#[must_use = "a module keeps what it registered"]
pub(crate) struct Registration(());

/// Declares the module's set of kfuncs for a hook: names and flags, in one table.
///
/// ```ignore
/// kfunc_set! {
///     /// What the module offers.
///     pub(crate) static KFUNCS for hook::All {
///         bpf_iter_foo_new = [ITER_NEW];
///         bpf_iter_foo_next = [ITER_NEXT, RET_NULL];
///         bpf_iter_foo_destroy = [ITER_DESTROY];
///     }
/// }
/// ```
///
/// Each name is a `#[no_mangle] extern "C"` function in scope, whose signature equals that of its
/// C prototype in `bindings`. Flags are those of [`flag`]. What is wrong stops the compiler: a
/// name without function or prototype, signatures that differ, an incomplete iterator, flags that
/// exclude each other, a second set for the hook.
///
/// After the hook there may be `, filter = f`: see [`Filter`].
///
/// Emits `.BTF_ids` as `BTF_KFUNCS_START()` does in C, with `resolve_btfids` to fill in the type
/// ids when the module is linked.
macro_rules! kfunc_set {
    (
        $(#[$attr:meta])*
        $vis:vis static $set:ident for hook::$hook:ident $(, filter = $filter:path)? {
            $($name:ident = [$($flag:ident),*];)+
        }
    ) => {
        ::core::arch::global_asm!(
            concat!(
                ".pushsection .BTF_ids, \"a\"\n",
                ".balign 4\n",
                ".globl ", stringify!($set), "\n",
                stringify!($set), ":\n",
                ".local __BTF_ID__set8__", stringify!($set), "\n",
                ".type __BTF_ID__set8__", stringify!($set), ", STT_OBJECT\n",
                "__BTF_ID__set8__", stringify!($set), ":\n",
                // Their number, which resolve_btfids fills in, and what the set is of.
                ".zero 4\n",
                ".long {}",
            ),
            $(concat!(
                $crate::bpf::btf_id::btf_id!(func $name, "1"),
                ".long {}",
            ),)+
            concat!(
                ".size __BTF_ID__set8__", stringify!($set),
                ", . - __BTF_ID__set8__", stringify!($set), "\n",
                ".popsection",
            ),
            const ::kernel::bindings::BTF_SET8_KFUNCS,
            $(const $crate::bpf::kfunc::kfunc_set!(@kfunc $name [$($flag)*]).flags(),)+
            options(att_syntax),
        );

        $(#[$attr])*
        $vis static $set: $crate::bpf::kfunc::KfuncSet = {
            const KFUNCS: &[$crate::bpf::kfunc::Kfunc] = &[
                $($crate::bpf::kfunc::kfunc_set!(@kfunc $name [$($flag)*]),)+
            ];
            $crate::bpf::kfunc::check(KFUNCS);

            // The branches of an `if` have one type: what C and BPF see is what Rust defines.
            $(
                if true {
                    $crate::bindings::$name
                } else {
                    $name
                };
            )+

            extern "C" {
                #[link_name = stringify!($set)]
                static IDS: ::kernel::bindings::btf_id_set8;
            }

            let filter: $crate::bpf::kfunc::Filter = None;
            $(let filter: $crate::bpf::kfunc::Filter = { let _ = filter; Some($filter) };)?
            // SAFETY: The set was made above, and its name is used here only.
            unsafe {
                $crate::bpf::kfunc::KfuncSet::new::<$crate::bpf::kfunc::hook::$hook>(
                    &raw const IDS,
                    filter,
                    KFUNCS,
                )
            }
        };

        impl $crate::bpf::kfunc::hook::HasSet for $crate::bpf::kfunc::hook::$hook {}
    };
    (@kfunc $name:ident [$($flag:ident)*]) => {
        $crate::bpf::kfunc::Kfunc::new(
            stringify!($name),
            &[$($crate::bpf::kfunc::flag::$flag),*],
        )
    };
}
pub(crate) use kfunc_set;

#[kunit_tests(bpf_percpu_kfunc_set)]
mod tests {
    use super::*;
    use crate::kfuncs::BPF_PERCPU_KFUNCS;

    const MODULE: &ThisModule = &<crate::LocalModule as kernel::ModuleMetadata>::THIS_MODULE;

    /// The module's set, as the linker has left it.
    fn set() -> &'static bindings::btf_id_set8 {
        // SAFETY: By the invariant of `KfuncSet`; nobody writes there once the module is loaded.
        unsafe { &*BPF_PERCPU_KFUNCS.set }
    }

    fn pairs() -> &'static [bindings::btf_id_set8__bindgen_ty_1] {
        // SAFETY: By the invariant of `KfuncSet` there are so many.
        unsafe { set().pairs.as_slice(set().cnt as usize) }
    }

    #[test]
    fn is_registered_once() {
        assert!(BPF_PERCPU_KFUNCS.registered.load(Relaxed));
        for _ in 0..2 {
            assert_eq!(BPF_PERCPU_KFUNCS.register(MODULE).err(), Some(EBUSY));
        }
        assert!(BPF_PERCPU_KFUNCS.registered.load(Relaxed));
    }

    #[test]
    fn is_for_all_programs() {
        assert_eq!(BPF_PERCPU_KFUNCS.prog_type, 0);
        assert!(BPF_PERCPU_KFUNCS.filter.is_some());
    }

    #[test]
    fn is_a_set_of_kfuncs() {
        assert_eq!(set().flags, bindings::BTF_SET8_KFUNCS);
        assert!((1..=256).contains(&set().cnt));
    }

    #[test]
    fn ids_are_resolved_and_sorted() {
        // The kernel searches by halves.
        let mut last = 0;
        for pair in pairs() {
            assert!(pair.id > last);
            last = pair.id;
        }
    }

    /// Which is whose, tests/tests/reference/check.rs sees in the module's file.
    #[test]
    fn flags_are_those_of_the_table() {
        let kfuncs = BPF_PERCPU_KFUNCS.kfuncs;
        assert_eq!(pairs().len(), kfuncs.len());
        for kfunc in kfuncs {
            let same = |flags| flags == kfunc.flags();
            assert_eq!(
                pairs().iter().filter(|pair| same(pair.flags)).count(),
                kfuncs.iter().filter(|other| same(other.flags())).count()
            );
        }
    }
}
