// SPDX-License-Identifier: GPL-2.0

//! Sets of BPF kfuncs.
//!
//! A set is a table of functions and flags, declared by [`kfunc_set!`] and registered when the
//! module is loaded. The kernel drops it with the module's BTF when the module is unloaded. A
//! program that calls one of the kfuncs holds a reference to the module.
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

/// What the verifier must know about a kfunc: `KF_*` in `include/linux/btf.h`.
///
/// `KF_FASTCALL` is left out on purpose: it promises that the kfunc preserves the caller's
/// registers, which compiled functions do not.
#[expect(
    dead_code,
    reason = "all flags of the kernel, of which a module uses some"
)]
pub(crate) mod flag {
    use kernel::bindings;

    /// Returns a reference that the program must release or store.
    pub(crate) const ACQUIRE: u32 = bindings::KF_ACQUIRE;
    /// Releases a reference.
    pub(crate) const RELEASE: u32 = bindings::KF_RELEASE;
    /// The returned pointer may be NULL.
    pub(crate) const RET_NULL: u32 = bindings::KF_RET_NULL;
    /// May sleep. Only for sleepable programs, outside of RCU sections.
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
    /// May be called only in an RCU section, in which alone the returned pointer is valid.
    pub(crate) const RCU_PROTECTED: u32 = bindings::KF_RCU_PROTECTED;
}

/// Which programs may call the kfuncs: the kernel's `enum btf_kfunc_hook`, by program type.
///
/// A module has at most one set for each hook: the kernel drops all kfuncs of a module that
/// registers a second one. Program types that share a hook are one type here.
pub(crate) mod hook {
    /// A hook of the kernel.
    pub(crate) trait Hook {
        /// One of the hook's `BPF_PROG_TYPE_*`; each of them stands for the hook.
        const PROG_TYPE: u32;
    }

    /// Marks a hook that has a set. [`kfunc_set!`](super::kfunc_set) implements it, so a second set
    /// for the hook does not compile.
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
    /// The kfunc `name` with all of `flags`.
    pub(crate) const fn new(name: &'static str, flags: &[u32]) -> Self {
        let mut sum = 0;
        let mut i = 0;
        while i < flags.len() {
            sum |= flags[i];
            i += 1;
        }
        Self { name, flags: sum }
    }

    /// The flags as the kernel takes them: bits of one word.
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

/// A function that the verifier calls for each call of one of the module's kfuncs, given by its BTF
/// id. Returns 0 if the program may call it, else an errno.
///
/// Context: process, may sleep.
pub(crate) type Filter =
    Option<unsafe extern "C" fn(prog: *const bindings::bpf_prog, kfunc: u32) -> c_int>;

// SAFETY: `set` is never written once the module is linked. The other fields are `Sync`.
unsafe impl Sync for KfuncSet {}

impl KfuncSet {
    /// # Safety
    ///
    /// `set` is a `BTF_KFUNCS_START()` set of this module, with `kfuncs` in it. Only this value
    /// uses it.
    pub(crate) const unsafe fn new<H: hook::Hook + hook::HasSet>(
        set: *const bindings::btf_id_set8,
        filter: Filter,
        #[cfg_attr(not(CONFIG_KUNIT = "y"), expect(unused_variables))] kfuncs: &'static [Kfunc],
    ) -> Self {
        // INVARIANT: The caller guarantees that `set` is such a set.
        Self {
            prog_type: H::PROG_TYPE,
            set,
            filter,
            registered: Atomic::new(false),
            #[cfg(CONFIG_KUNIT = "y")]
            kfuncs,
        }
    }

    /// Offers the kfuncs to BPF programs. Called by the module's init; programs can call them when
    /// that has returned.
    ///
    /// # Errors
    ///
    /// `EBUSY` when the set is registered already; `EINVAL` when the kernel refuses it, because it
    /// has a kfunc of that name itself or does not accept a signature; `ENOMEM`. From a module
    /// without BTF the kernel accepts the set and offers nothing; `scripts/kernel/check-module`
    /// refuses to build such a module.
    pub(crate) fn register(&'static self, module: &'static ThisModule) -> Result<Registration> {
        // ORDERING: Relaxed suffices: the exchange decides who registers, and publishes no data.
        if self.registered.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        let id_set = bindings::btf_kfunc_id_set {
            owner: module.as_ptr(),
            set: self.set.cast_mut(),
            filter: self.filter,
        };
        // SAFETY: By the type invariant `set` is a set of kfuncs of this module. `id_set` is valid
        // for the duration of the call, which copies what it needs.
        let ret =
            unsafe { bindings::register_btf_kfunc_id_set(self.prog_type, ptr::from_ref(&id_set)) };
        to_result(ret).inspect_err(|_| self.registered.store(false, Relaxed))?;
        Ok(Registration(()))
    }
}

/// For tests of a module's set.
#[cfg(CONFIG_KUNIT = "y")]
impl KfuncSet {
    /// The set, as the linker has left it: its flags, and the id and flags of each kfunc.
    pub(crate) fn linked(&self) -> (u32, &'static [bindings::btf_id_set8__bindgen_ty_1]) {
        // SAFETY: By the type invariant it is such a set, which has `cnt` pairs. Nothing writes it
        // once the module is loaded.
        unsafe {
            let set = &*self.set;
            (set.flags, set.pairs.as_slice(set.cnt as usize))
        }
    }

    /// The table that the set was declared by.
    pub(crate) fn kfuncs(&self) -> &'static [Kfunc] {
        self.kfuncs
    }

    /// Whether the set is registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.registered.load(Relaxed)
    }

    /// The hook's program type.
    pub(crate) fn prog_type(&self) -> u32 {
        self.prog_type
    }

    /// Whether the set has a filter.
    pub(crate) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }
}

/// A registered set.
///
/// The module keeps it to show what it owns. Dropping it does nothing: the kernel has no function
/// to unregister a set, and drops it with the module.
#[must_use = "a module keeps what it registered"]
pub(crate) struct Registration(());

/// Declares the module's set of kfuncs for a hook: a table of names and flags.
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
/// Each name is a `#[no_mangle] extern "C"` function in scope with the signature of its C prototype
/// in `bindings`. The flags are those of [`flag`]. It is a compile error if a function or a
/// prototype is missing, if the signatures differ, if an iterator is incomplete, if flags exclude
/// each other, or if the hook has a set already.
///
/// The hook may be followed by `, filter = f`: see [`Filter`].
///
/// Emits `.BTF_ids` as `BTF_KFUNCS_START()` does in C; `resolve_btfids` fills in the type ids when
/// the module is linked.
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
                // The number of ids, which resolve_btfids fills in, and the flags of the set.
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

            // The branches of an `if` must have the same type, so the Rust function has the
            // signature that C and BPF see.
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
            // SAFETY: The assembly above defines the set, whose symbol is used only here.
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
