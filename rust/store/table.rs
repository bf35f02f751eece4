// SPDX-License-Identifier: GPL-2.0

//! An array that is read in any context, without a lock.

use core::{
    cell::UnsafeCell,
    ptr, //
};
use kernel::prelude::*;

/// A static array that is allocated when the module is loaded. Its length is a power of two.
///
/// # Invariants
///
/// - `first` points to `mask + 1` elements, which stay as long as the table is used.
/// - `mask + 1` is a power of two.
/// - Both fields change in [`allocate`](Self::allocate) and [`free`](Self::free) only.
pub(super) struct Table<T: Sync + 'static> {
    first: UnsafeCell<*const T>,
    mask: UnsafeCell<u32>,
}

// SAFETY: The elements are `Sync`, and the fields change only while nobody else uses the table.
unsafe impl<T: Sync + 'static> Sync for Table<T> {}

impl<T: Sync + 'static> Table<T> {
    /// A table with one element.
    pub(super) const fn new(only: &'static T) -> Self {
        // INVARIANT: One element, which is static.
        Self {
            first: UnsafeCell::new(ptr::from_ref(only)),
            mask: UnsafeCell::new(0),
        }
    }

    /// Gives the table at least `len` elements, 1 to 2^31. `new` creates each from its index.
    ///
    /// # Safety
    ///
    /// Nobody uses the table during the call, and [`free`](Self::free) is called before the module is
    /// unloaded.
    pub(super) unsafe fn allocate(&self, len: u32, new: impl Fn(u32) -> T) -> Result {
        let mask = u32::MAX
            .checked_shr(len.wrapping_sub(1).leading_zeros())
            .unwrap_or(0);
        let len = mask.wrapping_add(1);
        let mut elements = KVVec::with_capacity(len as usize, GFP_KERNEL | __GFP_NOWARN)?;
        for index in 0..len {
            elements.push(new(index), GFP_KERNEL)?;
        }
        let (first, _, _) = elements.into_raw_parts();
        // INVARIANT: `mask + 1` elements were pushed.
        // SAFETY: By the function's contract nobody else reads the fields now.
        unsafe {
            *self.first.get() = first;
            *self.mask.get() = mask;
        }
        Ok(())
    }

    /// Frees what [`allocate`](Self::allocate) has allocated, and leaves the table with `only`.
    ///
    /// # Safety
    ///
    /// `allocate` was called since the last `free`. Nobody uses the table or its elements, now or
    /// later.
    pub(super) unsafe fn free(&self, only: &'static T) {
        let len = self.len() as usize;
        // INVARIANT: One element, which is static.
        // SAFETY: By the function's contract nobody else uses the table. `allocate()` has taken the
        // vector apart, whose length and capacity were `len`.
        drop(unsafe {
            *self.mask.get() = 0;
            KVVec::from_raw_parts(ptr::replace(self.first.get(), only).cast_mut(), len, len)
        });
    }

    /// The number of elements.
    pub(super) fn len(&self) -> u32 {
        self.mask().wrapping_add(1)
    }

    /// The element at `index` modulo the table's length.
    #[inline]
    pub(super) fn get(&self, index: u32) -> &T {
        let at = index & self.mask();
        // SAFETY: `at` is at most `mask`, and by the type invariant there are `mask + 1` elements.
        unsafe { &*(*self.first.get()).add(at as usize) }
    }

    #[inline]
    fn mask(&self) -> u32 {
        // SAFETY: By the type invariant it does not change while the table is used.
        unsafe { *self.mask.get() }
    }
}

#[kunit_tests(bpf_percpu_table)]
mod tests {
    use super::*;
    use kernel::sync::atomic::{
        Atomic,
        Relaxed, //
    };

    static ONLY: Atomic<u32> = Atomic::new(42);

    /// The result of `test` for a table of `len` elements, whose values are 7 and up.
    fn with_table<R>(len: u32, test: impl Fn(&Table<Atomic<u32>>) -> R) -> Result<R> {
        let table = Table::new(&ONLY);
        // SAFETY: Nobody else knows the table, and it is freed below.
        unsafe { table.allocate(len, |index| Atomic::new(7 + index))? };
        let result = test(&table);
        // SAFETY: Allocated above; `test` keeps no element.
        unsafe { table.free(&ONLY) };
        Ok(result)
    }

    #[test]
    fn one_element_at_first() {
        let table = Table::new(&ONLY);
        assert_eq!(table.len(), 1);
        for index in [0, 1, 63, u32::MAX] {
            assert!(ptr::eq(table.get(index), &ONLY));
        }
    }

    #[test]
    fn rounds_the_length_up() -> Result {
        for (asked, len) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (4, 4),
            (5, 8),
            (1023, 1024),
            (1024, 1024),
            (1025, 2048),
        ] {
            assert_eq!(with_table(asked, |table| table.len())?, len);
        }
        Ok(())
    }

    #[test]
    fn makes_every_element() -> Result {
        for len in [1, 2, 64] {
            let made = |table: &Table<Atomic<u32>>| {
                (0..len).all(|index| table.get(index).load(Relaxed) == 7 + index)
            };
            assert!(with_table(len, made)?);
        }
        Ok(())
    }

    #[test]
    fn elements_are_apart() -> Result {
        let apart = with_table(64, |table| {
            for index in 0..64 {
                table.get(index).store(index, Relaxed);
            }
            (0..64).all(|index| table.get(index).load(Relaxed) == index)
        })?;
        assert!(apart);
        Ok(())
    }

    #[test]
    fn index_goes_round() -> Result {
        let round = with_table(64, |table| {
            ptr::eq(table.get(64), table.get(0))
                && ptr::eq(table.get(127), table.get(63))
                && ptr::eq(table.get(u32::MAX), table.get(63))
                && !ptr::eq(table.get(63), table.get(0))
        })?;
        assert!(round);
        Ok(())
    }

    #[test]
    fn one_element_when_freed() -> Result {
        let table = Table::new(&ONLY);
        for len in [16, 4] {
            // SAFETY: Nobody else knows the table, and it is freed below.
            unsafe { table.allocate(len, |_| Atomic::new(7))? };
            let allocated = table.len();
            // SAFETY: Allocated above.
            unsafe { table.free(&ONLY) };
            assert_eq!(allocated, len);
            assert_eq!(table.len(), 1);
            assert!(ptr::eq(table.get(3), &ONLY));
        }
        Ok(())
    }
}
