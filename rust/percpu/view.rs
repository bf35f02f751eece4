// SPDX-License-Identifier: GPL-2.0

//! An integer in this CPU's own copy, by its ordinary address.

use super::{
    arch::Ops,
    Primitive, //
};
use core::marker::PhantomData;

/// A `T` that only this CPU changes.
///
/// Each method is one operation to what else runs on the CPU, NMIs included, and wraps around at the
/// type's end. Where another CPU changes it too, they are ordinary operations.
///
/// Context: any, but without leaving the CPU since the address was had.
///
/// # Invariants
///
/// `ptr` points to a `T` that can be read and written. It need not be aligned.
pub(crate) struct View<T: Primitive, B: Ops<T> = <T as Primitive>::Native> {
    ptr: *mut T,
    _backend: PhantomData<B>,
}

impl<T: Primitive, B: Ops<T>> View<T, B> {
    /// # Safety
    ///
    /// `ptr` points to a `T` that can be read and written as long as this is used. It need not be
    /// aligned.
    #[inline]
    pub(crate) unsafe fn new(ptr: *mut T) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            ptr,
            _backend: PhantomData,
        }
    }

    /// Adds `val`.
    #[inline]
    pub(crate) fn add(&self, val: T) {
        // SAFETY: By the type invariant.
        unsafe { B::local_add(self.ptr, val) }
    }

    /// Adds `val`, and returns the sum.
    #[inline]
    pub(crate) fn add_return(&self, val: T) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::local_add_return(self.ptr, val) }
    }

    /// Puts `val` there, and returns what was there.
    #[inline]
    pub(crate) fn xchg(&self, val: T) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::local_xchg(self.ptr, val) }
    }

    /// Puts `new` there if `old` is; returns what was there.
    #[inline]
    pub(crate) fn cmpxchg(&self, old: T, new: T) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::local_cmpxchg(self.ptr, old, new) }
    }
}
