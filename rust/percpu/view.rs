// SPDX-License-Identifier: GPL-2.0

//! An integer in this CPU's own copy, by its ordinary address.

use super::{
    arch::Ops,
    Primitive, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

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

#[kunit_tests(bpf_percpu_view)]
mod tests {
    use super::*;
    use crate::percpu::{
        arch::{
            generic::Generic,
            Native, //
        },
        fixtures::{
            assert_each_type,
            Value, //
        },
    };

    /// What is around a view.
    const FILL: u8 = 0xa5;

    /// Two cache lines.
    #[repr(C, align(64))]
    struct Lines([u8; 128]);

    /// Whether `op` returns `returned` where `from` is, leaves `left`, and changes nothing else, at
    /// each alignment, and across cache lines.
    fn changes<T: Value, B: Ops<T>>(
        from: T,
        op: impl Fn(&View<T, B>) -> T,
        returned: T,
        left: T,
    ) -> bool {
        (56..72).all(|at| {
            let mut lines = Lines([FILL; 128]);
            let ptr = lines.0.as_mut_ptr().wrapping_add(at).cast::<T>();
            // SAFETY: A `T` at `at` ends inside of the lines, which are ours as long as they are.
            let (is, now) = unsafe {
                ptr.write_unaligned(from);
                let is = op(&View::new(ptr));
                (is, ptr.read_unaligned())
            };
            let around = |i: usize| i < at || i >= at + size_of::<T>();
            is == returned && now == left && (0..128).all(|i| !around(i) || lines.0[i] == FILL)
        })
    }

    fn adds<T: Value, B: Ops<T>>() -> Result<bool> {
        let adds = |from, val, sum| {
            let op = |view: &View<T, B>| {
                view.add(val);
                val
            };
            changes::<T, B>(from, op, val, sum)
        };
        Ok(adds(T::SOME, T::OTHER, T::SUM)
            && adds(T::SOME, T::ZERO, T::SOME)
            && adds(T::MAX, T::ONE, T::MIN))
    }

    fn returns_the_sum<T: Value, B: Ops<T>>() -> Result<bool> {
        let adds = |from, val, sum| changes::<T, B>(from, |view| view.add_return(val), sum, sum);
        Ok(adds(T::SOME, T::OTHER, T::SUM)
            && adds(T::SOME, T::ZERO, T::SOME)
            && adds(T::MAX, T::ONE, T::MIN))
    }

    fn exchanges<T: Value, B: Ops<T>>() -> Result<bool> {
        let puts = |from, val| changes::<T, B>(from, |view| view.xchg(val), from, val);
        Ok(puts(T::SOME, T::OTHER) && puts(T::ZERO, T::SOME) && puts(T::SOME, T::SOME))
    }

    fn exchanges_what_is_equal<T: Value, B: Ops<T>>() -> Result<bool> {
        let puts = |from, val| changes::<T, B>(from, |view| view.cmpxchg(from, val), from, val);
        Ok(puts(T::SOME, T::OTHER) && puts(T::ZERO, T::SOME) && puts(T::MIN, T::ZERO))
    }

    /// Each bit counts.
    fn keeps_what_is_not_equal<T: Value, B: Ops<T>>() -> Result<bool> {
        Ok((0..size_of::<T>() * 8).all(|bit| {
            let op = |view: &View<T, B>| view.cmpxchg(T::SOME.flip(bit), T::OTHER);
            changes::<T, B>(T::SOME, op, T::SOME, T::SOME)
        }))
    }

    #[test]
    fn native_adds() -> Result {
        assert_each_type!(adds, Native);
        Ok(())
    }

    #[test]
    fn native_returns_the_sum() -> Result {
        assert_each_type!(returns_the_sum, Native);
        Ok(())
    }

    #[test]
    fn native_exchanges() -> Result {
        assert_each_type!(exchanges, Native);
        Ok(())
    }

    #[test]
    fn native_exchanges_what_is_equal() -> Result {
        assert_each_type!(exchanges_what_is_equal, Native);
        Ok(())
    }

    #[test]
    fn native_keeps_what_is_not_equal() -> Result {
        assert_each_type!(keeps_what_is_not_equal, Native);
        Ok(())
    }

    #[test]
    fn generic_adds() -> Result {
        assert_each_type!(adds, Generic);
        Ok(())
    }

    #[test]
    fn generic_returns_the_sum() -> Result {
        assert_each_type!(returns_the_sum, Generic);
        Ok(())
    }

    #[test]
    fn generic_exchanges() -> Result {
        assert_each_type!(exchanges, Generic);
        Ok(())
    }

    #[test]
    fn generic_exchanges_what_is_equal() -> Result {
        assert_each_type!(exchanges_what_is_equal, Generic);
        Ok(())
    }

    #[test]
    fn generic_keeps_what_is_not_equal() -> Result {
        assert_each_type!(keeps_what_is_not_equal, Generic);
        Ok(())
    }
}
