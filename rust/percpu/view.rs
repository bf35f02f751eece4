// SPDX-License-Identifier: GPL-2.0

//! An integer of this CPU's slot, by its ordinary address.

use super::{
    arch::Ops,
    Primitive, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// A `T` that only this CPU writes.
///
/// Each method is atomic with regard to what else runs on this CPU, NMIs included, and wraps around
/// at the type's end. If other CPUs write the integer too, it is an ordinary operation.
///
/// Context: any, on the CPU whose slot `ptr` points into.
///
/// # Invariants
///
/// `ptr` is valid for reads and writes of a `T`. It need not be aligned.
pub(crate) struct View<T: Primitive, B: Ops<T> = <T as Primitive>::Native> {
    ptr: *mut T,
    _backend: PhantomData<B>,
}

impl<T: Primitive, B: Ops<T>> View<T, B> {
    /// # Safety
    ///
    /// `ptr` is valid for reads and writes of a `T` while the value is used. It need not be
    /// aligned.
    #[inline]
    pub(crate) unsafe fn new(ptr: *mut T) -> Self {
        // INVARIANT: The caller guarantees this.
        Self {
            ptr,
            _backend: PhantomData,
        }
    }

    /// Adds `val`.
    #[inline]
    pub(crate) fn add(&self, val: T) {
        // SAFETY: By the type invariant `ptr` is valid for reads and writes of a `T`.
        unsafe { B::local_add(self.ptr, val) }
    }

    /// Adds `val`, and returns the sum.
    #[inline]
    pub(crate) fn add_return(&self, val: T) -> T {
        // SAFETY: By the type invariant `ptr` is valid for reads and writes of a `T`.
        unsafe { B::local_add_return(self.ptr, val) }
    }

    /// Writes `val`, and returns the old value.
    #[inline]
    pub(crate) fn xchg(&self, val: T) -> T {
        // SAFETY: By the type invariant `ptr` is valid for reads and writes of a `T`.
        unsafe { B::local_xchg(self.ptr, val) }
    }

    /// Writes `new` if it equals `old`; returns the old value.
    #[inline]
    pub(crate) fn cmpxchg(&self, old: T, new: T) -> T {
        // SAFETY: By the type invariant `ptr` is valid for reads and writes of a `T`.
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

    /// The bytes around the view.
    const FILL: u8 = 0xa5;

    /// Two cache lines.
    #[repr(C, align(64))]
    struct Lines([u8; 128]);

    /// Whether `op` on an integer that is `from` returns `returned` and leaves `left`, and changes
    /// nothing else, at each alignment and across cache lines.
    fn changes<T: Value, B: Ops<T>>(
        from: T,
        op: impl Fn(&View<T, B>) -> T,
        returned: T,
        left: T,
    ) -> bool {
        (56..72).all(|at| {
            let mut lines = Lines([FILL; 128]);
            let ptr = lines.0.as_mut_ptr().wrapping_add(at).cast::<T>();
            // SAFETY: A `T` at `at` ends inside of `lines`, which outlives the view.
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

    /// A difference in any one bit counts.
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
