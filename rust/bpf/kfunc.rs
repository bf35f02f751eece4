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

/// What the verifier must know of a kfunc: `KF_*` in `include/linux/btf.h`.
///
/// `KF_FASTCALL` is missing on purpose: the verifier would believe that the kfunc spares the
/// caller's registers, which no compiled function does.
#[expect(dead_code, reason = "the table of the kernel, not of one module")]
pub(crate) mod flag {
    /// Returns a reference that the program must release or store.
    pub(crate) const ACQUIRE: u32 = 1 << 0;
    /// Takes back a reference.
    pub(crate) const RELEASE: u32 = 1 << 1;
    /// The returned pointer may be NULL.
    pub(crate) const RET_NULL: u32 = 1 << 2;
    /// May sleep: for sleepable programs, outside of RCU sections.
    pub(crate) const SLEEPABLE: u32 = 1 << 5;
    /// Needs `CAP_SYS_BOOT`.
    pub(crate) const DESTRUCTIVE: u32 = 1 << 6;
    /// Pointer arguments may be RCU protected instead of trusted.
    pub(crate) const RCU: u32 = 1 << 7;
    /// Constructor of an open-coded iterator.
    pub(crate) const ITER_NEW: u32 = 1 << 8;
    /// Step of an open-coded iterator.
    pub(crate) const ITER_NEXT: u32 = 1 << 9;
    /// Destructor of an open-coded iterator.
    pub(crate) const ITER_DESTROY: u32 = 1 << 10;
    /// May be called, and what it returns used, only inside an RCU section.
    pub(crate) const RCU_PROTECTED: u32 = 1 << 11;
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

/// Refuses, at compile time, what the kernel would refuse or misunderstand when it is too late.
pub(crate) const fn check(set: &[Kfunc]) {
    // `BTF_KFUNC_SET_MAX_CNT` in kernel/bpf/btf.c.
    assert!(set.len() <= 256, "a kfunc set has more than 256 entries");
    let mut i = 0;
    while i < set.len() {
        check_flags(&set[i]);
        check_iterator(set, &set[i]);
        let mut j = i + 1;
        while j < set.len() {
            if bytes_eq(set[i].name.as_bytes(), set[j].name.as_bytes()) {
                fail(set[i].name, "is in the set twice");
            }
            j += 1;
        }
        i += 1;
    }
}

const fn check_flags(kfunc: &Kfunc) {
    if kfunc.has(flag::ACQUIRE) && kfunc.has(flag::RELEASE) {
        fail(kfunc.name, "has RELEASE with ACQUIRE");
    }
    if kfunc.has(flag::ITER_NEXT) && !kfunc.has(flag::RET_NULL) {
        fail(kfunc.name, "has ITER_NEXT without RET_NULL");
    }
    if kfunc.has(flag::SLEEPABLE) && kfunc.has(flag::RCU_PROTECTED) {
        fail(kfunc.name, "has SLEEPABLE with RCU_PROTECTED");
    }
}

/// The three parts of an iterator, with the ends of their names.
const ITER_PARTS: [(u32, &str); 3] = [
    (flag::ITER_NEW, "_new"),
    (flag::ITER_NEXT, "_next"),
    (flag::ITER_DESTROY, "_destroy"),
];

/// A part of an iterator is named like it, which no two parts can be, and the others are there.
const fn check_iterator(set: &[Kfunc], kfunc: &Kfunc) {
    let mut i = 0;
    while i < ITER_PARTS.len() {
        let (flag, end) = ITER_PARTS[i];
        if kfunc.has(flag) {
            let Some(iter) = iter_name(kfunc.name, end) else {
                fail(
                    kfunc.name,
                    "is an iterator's, but not named bpf_iter_*_{new,next,destroy}",
                );
            };
            let mut j = 0;
            while j < ITER_PARTS.len() {
                if !has_part(set, iter, ITER_PARTS[j]) {
                    fail(
                        kfunc.name,
                        "is of an iterator that lacks one of new, next and destroy",
                    );
                }
                j += 1;
            }
        }
        i += 1;
    }
}

/// `bpf_iter_foo` of `bpf_iter_foo_new`, where `end` is `_new`.
const fn iter_name<'a>(name: &'a str, end: &str) -> Option<&'a [u8]> {
    const START: &[u8] = b"bpf_iter_";
    let name = name.as_bytes();
    if name.len() <= START.len() + end.len() || !bytes_eq(name.split_at(START.len()).0, START) {
        return None;
    }
    let (iter, rest) = name.split_at(name.len() - end.len());
    if bytes_eq(rest, end.as_bytes()) {
        Some(iter)
    } else {
        None
    }
}

const fn has_part(set: &[Kfunc], iter: &[u8], (flag, end): (u32, &str)) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i].has(flag) {
            if let Some(other) = iter_name(set[i].name, end) {
                if bytes_eq(iter, other) {
                    return true;
                }
            }
        }
        i += 1;
    }
    false
}

const fn bytes_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Stops the compiler with "kfunc NAME WHY".
const fn fail(name: &str, why: &str) -> ! {
    let parts = [b"kfunc ", name.as_bytes(), b" ", why.as_bytes()];
    let mut text = [0; 256];
    let mut len = 0;
    let mut i = 0;
    while i < parts.len() {
        let mut j = 0;
        while j < parts[i].len() {
            text[len] = parts[i][j];
            len += 1;
            j += 1;
        }
        i += 1;
    }
    match core::str::from_utf8(text.split_at(len).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("a kfunc set is wrong"),
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
    registered: Atomic<bool>,
}

// SAFETY: `set` is only read, and by the kernel.
unsafe impl Sync for KfuncSet {}

impl KfuncSet {
    /// # Safety
    ///
    /// `set` is a `BTF_KFUNCS_START()` set of this module, and used by this value only.
    pub(crate) const unsafe fn new<H: hook::Hook + hook::HasSet>(
        set: *const bindings::btf_id_set8,
    ) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            prog_type: H::PROG_TYPE,
            set,
            registered: Atomic::new(false),
        }
    }

    /// Offers the kfuncs to BPF programs, from the end of the module's init on.
    ///
    /// # Errors
    ///
    /// `EBUSY` when the set is registered already; `EINVAL` when the kernel refuses it, for a
    /// kfunc whose name the kernel has itself, or for signatures that it does not know; `ENOMEM`.
    pub(crate) fn register(&'static self, module: &'static ThisModule) -> Result<Registration> {
        if self.registered.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        let id_set = bindings::btf_kfunc_id_set {
            owner: module.as_ptr(),
            set: self.set.cast_mut(),
            filter: None,
        };
        // SAFETY: By the type invariant `set` is a set of kfuncs, which the kernel only reads;
        // `id_set` is valid for the call, which copies what it needs.
        to_result(unsafe {
            bindings::register_btf_kfunc_id_set(self.prog_type, ptr::from_ref(&id_set))
        })?;
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
/// Emits `.BTF_ids` as `BTF_KFUNCS_START()` does in C, with `resolve_btfids` to fill in the type
/// ids when the module is linked.
macro_rules! kfunc_set {
    (
        $(#[$attr:meta])*
        $vis:vis static $set:ident for hook::$hook:ident {
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
                // Their number, which resolve_btfids fills in, and BTF_SET8_KFUNCS.
                ".zero 4\n",
                ".long 1",
            ),
            $(concat!(
                ".local __BTF_ID__func__", stringify!($name), "__1\n",
                ".type __BTF_ID__func__", stringify!($name), "__1, STT_OBJECT\n",
                ".size __BTF_ID__func__", stringify!($name), "__1, 4\n",
                "__BTF_ID__func__", stringify!($name), "__1:\n",
                ".zero 4\n",
                ".long {}",
            ),)+
            concat!(
                ".size __BTF_ID__set8__", stringify!($set),
                ", . - __BTF_ID__set8__", stringify!($set), "\n",
                ".popsection",
            ),
            $(const $crate::bpf::kfunc::kfunc_set!(@kfunc $name [$($flag)*]).flags(),)+
            options(att_syntax),
        );

        $(#[$attr])*
        $vis static $set: $crate::bpf::kfunc::KfuncSet = {
            $crate::bpf::kfunc::check(&[
                $($crate::bpf::kfunc::kfunc_set!(@kfunc $name [$($flag)*]),)+
            ]);

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

            // SAFETY: The set was made above, and its name is used here only.
            unsafe { $crate::bpf::kfunc::KfuncSet::new::<$crate::bpf::kfunc::hook::$hook>(&raw const IDS) }
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
