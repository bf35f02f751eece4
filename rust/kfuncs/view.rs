// SPDX-License-Identifier: GPL-2.0

//! Operations on an integer of a view of this CPU's slot.
//!
//! The verifier has proven the bounds of the view, so nothing is checked here. Each operation is
//! one instruction without `lock`: it is exact because a program never leaves its CPU. On memory
//! that other CPUs write too, it is an ordinary operation, which they can tear.

use super::kfuncs_by_width;
use crate::percpu::View;
use kernel::prelude::*;

kfuncs_by_width! {
    /// Adds `val` to the integer at `view`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that the program may read and write an integer of
    /// that type at `view`, which need not be aligned.
    fn bpf_percpu_view_add_u64(view: *mut u64, val: u64);
    fn bpf_percpu_view_add_u32(view: *mut u32, val: u32);
    {
        // SAFETY: The verifier has proven that the integer can be read and written.
        unsafe { <View<_>>::new(view).add(val) }
    }

    /// Adds `val` to the integer at `view`, and returns the sum.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that the program may read and write an integer of
    /// that type at `view`, which need not be aligned.
    fn bpf_percpu_view_add_return_u64(view: *mut u64, val: u64) -> u64;
    fn bpf_percpu_view_add_return_u32(view: *mut u32, val: u32) -> u32;
    {
        // SAFETY: The verifier has proven that the integer can be read and written.
        unsafe { <View<_>>::new(view).add_return(val) }
    }

    /// Writes `val` to the integer at `view`, and returns the old value.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that the program may read and write an integer of
    /// that type at `view`, which need not be aligned.
    fn bpf_percpu_view_xchg_u64(view: *mut u64, val: u64) -> u64;
    fn bpf_percpu_view_xchg_u32(view: *mut u32, val: u32) -> u32;
    {
        // SAFETY: The verifier has proven that the integer can be read and written.
        unsafe { <View<_>>::new(view).xchg(val) }
    }

    /// Writes `val` to the integer at `view` if it equals `expect`; returns the old value.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that the program may read and write an integer of
    /// that type at `view`, which need not be aligned.
    fn bpf_percpu_view_cmpxchg_u64(view: *mut u64, expect: u64, val: u64) -> u64;
    fn bpf_percpu_view_cmpxchg_u32(view: *mut u32, expect: u32, val: u32) -> u32;
    {
        // SAFETY: The verifier has proven that the integer can be read and written.
        unsafe { <View<_>>::new(view).cmpxchg(expect, val) }
    }
}

#[kunit_tests(bpf_percpu_kfuncs_view)]
mod tests {
    use super::*;
    use crate::{
        kfuncs::fixtures::TestStore,
        percpu::{
            fixtures::Value,
            PossibleCpu, //
        },
    };

    const SIZE: usize = 24;

    const FILL: u8 = 0xa5;

    /// The kfuncs for one width.
    trait Width: Value {
        const ADD: unsafe extern "C" fn(*mut Self, Self);
        const ADD_RETURN: unsafe extern "C" fn(*mut Self, Self) -> Self;
        const XCHG: unsafe extern "C" fn(*mut Self, Self) -> Self;
        const CMPXCHG: unsafe extern "C" fn(*mut Self, Self, Self) -> Self;
    }

    impl Width for u64 {
        const ADD: unsafe extern "C" fn(*mut Self, Self) = bpf_percpu_view_add_u64;
        const ADD_RETURN: unsafe extern "C" fn(*mut Self, Self) -> Self =
            bpf_percpu_view_add_return_u64;
        const XCHG: unsafe extern "C" fn(*mut Self, Self) -> Self = bpf_percpu_view_xchg_u64;
        const CMPXCHG: unsafe extern "C" fn(*mut Self, Self, Self) -> Self =
            bpf_percpu_view_cmpxchg_u64;
    }

    impl Width for u32 {
        const ADD: unsafe extern "C" fn(*mut Self, Self) = bpf_percpu_view_add_u32;
        const ADD_RETURN: unsafe extern "C" fn(*mut Self, Self) -> Self =
            bpf_percpu_view_add_return_u32;
        const XCHG: unsafe extern "C" fn(*mut Self, Self) -> Self = bpf_percpu_view_xchg_u32;
        const CMPXCHG: unsafe extern "C" fn(*mut Self, Self, Self) -> Self =
            bpf_percpu_view_cmpxchg_u32;
    }

    /// Whether `op` on a view of a store, at each offset, on an integer that is `from`, returns
    /// `returned`, leaves `left`, and changes nothing else.
    fn changes<T: Width>(from: T, op: impl Fn(*mut T) -> T, returned: T, left: T) -> Result<bool> {
        let _here = PossibleCpu::stay()?;
        let store = TestStore::new(SIZE as u32)?;
        let memory = store.0.memory();
        store.fill(FILL)?;
        for off in 0..=(SIZE - size_of::<T>()) as u32 {
            let view = memory.this_cpu_ptr(off, size_of::<T>() as u32);
            let view = view.ok_or(ERANGE)?.cast::<T>();
            // SAFETY: The view is inside of the store, which only this test uses.
            let (is, now) = unsafe {
                let before = view.read_unaligned();
                view.write_unaligned(from);
                let is = op(view);
                let now = view.read_unaligned();
                view.write_unaligned(before);
                (is, now)
            };
            if is != returned || now != left || !store.is_filled(FILL) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn adds<T: Width>() -> Result<bool> {
        let adds = |from, val, sum| -> Result<bool> {
            // SAFETY: `changes()` passes a view.
            let add = |view| unsafe {
                T::ADD(view, val);
                val
            };
            // SAFETY: As above.
            let add_return = |view| unsafe { T::ADD_RETURN(view, val) };
            Ok(changes::<T>(from, add, val, sum)? && changes::<T>(from, add_return, sum, sum)?)
        };
        Ok(adds(T::SOME, T::OTHER, T::SUM)?
            && adds(T::SOME, T::ZERO, T::SOME)?
            && adds(T::MAX, T::ONE, T::MIN)?)
    }

    fn exchanges<T: Width>() -> Result<bool> {
        // SAFETY: `changes()` passes a view.
        let xchg = |view| unsafe { T::XCHG(view, T::OTHER) };
        Ok(changes::<T>(T::SOME, xchg, T::SOME, T::OTHER)?
            && changes::<T>(T::OTHER, xchg, T::OTHER, T::OTHER)?)
    }

    fn exchanges_what_is_equal<T: Width>() -> Result<bool> {
        // SAFETY: `changes()` passes a view.
        let cmpxchg = |view| unsafe { T::CMPXCHG(view, T::SOME, T::OTHER) };
        changes::<T>(T::SOME, cmpxchg, T::SOME, T::OTHER)
    }

    fn keeps_what_is_not_equal<T: Width>() -> Result<bool> {
        for bit in 0..size_of::<T>() * 8 {
            // SAFETY: `changes()` passes a view.
            let cmpxchg = |view| unsafe { T::CMPXCHG(view, T::SOME.flip(bit), T::OTHER) };
            if !changes::<T>(T::SOME, cmpxchg, T::SOME, T::SOME)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[test]
    fn u64_adds() -> Result {
        assert!(adds::<u64>()?);
        Ok(())
    }

    #[test]
    fn u64_exchanges() -> Result {
        assert!(exchanges::<u64>()?);
        Ok(())
    }

    #[test]
    fn u64_exchanges_what_is_equal() -> Result {
        assert!(exchanges_what_is_equal::<u64>()?);
        Ok(())
    }

    #[test]
    fn u64_keeps_what_is_not_equal() -> Result {
        assert!(keeps_what_is_not_equal::<u64>()?);
        Ok(())
    }

    #[test]
    fn u32_adds() -> Result {
        assert!(adds::<u32>()?);
        Ok(())
    }

    #[test]
    fn u32_exchanges() -> Result {
        assert!(exchanges::<u32>()?);
        Ok(())
    }

    #[test]
    fn u32_exchanges_what_is_equal() -> Result {
        assert!(exchanges_what_is_equal::<u32>()?);
        Ok(())
    }

    #[test]
    fn u32_keeps_what_is_not_equal() -> Result {
        assert!(keeps_what_is_not_equal::<u32>()?);
        Ok(())
    }
}
