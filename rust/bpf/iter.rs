// SPDX-License-Identifier: GPL-2.0

//! State of BPF open-coded iterators.
//!
//! An iterator `T` consists of three kfuncs, `bpf_iter_T_new`, `_next` and `_destroy`, and of a
//! `struct bpf_iter_T` on the program's stack. That struct is opaque to BPF; here it holds a Rust
//! value.
//!
//! Reference: [`Documentation/bpf/kfuncs.rst`](srctree/Documentation/bpf/kfuncs.rst)

use core::marker::PhantomData;

/// A program's `struct bpf_iter_*`, of the C type `C`, which holds an `S`.
///
/// # Invariants
///
/// `state` points to a `C` of a running program, which nothing else uses while this value exists.
pub(crate) struct BpfIter<C, S> {
    state: *mut S,
    _iter: PhantomData<*mut C>,
}

impl<C, S> BpfIter<C, S> {
    const FITS: () = {
        assert!(
            size_of::<S>() <= size_of::<C>() && align_of::<S>() <= align_of::<C>(),
            "the iterator's state does not fit into what BPF reserves for it"
        );
        assert!(
            size_of::<C>() % 8 == 0,
            "the kernel refuses iterators that are not a multiple of 8 bytes"
        );
    };

    /// # Safety
    ///
    /// Called by a kfunc with the iterator that BPF passed to it: it is on the program's stack, and
    /// nothing else uses it until the kfunc returns.
    #[inline]
    pub(crate) unsafe fn new(iter: *mut C) -> Self {
        const { Self::FITS };
        // INVARIANT: The caller passes the iterator of a running program.
        Self {
            state: iter.cast(),
            _iter: PhantomData,
        }
    }

    /// Stores `state` in the iterator. What it held before is not dropped. For `bpf_iter_*_new`.
    #[inline]
    pub(crate) fn init(&mut self, state: S) {
        // SAFETY: By the type invariant only this value uses the iterator. `FITS` asserts that it
        // is large enough and aligned.
        unsafe { self.state.write(state) };
    }

    /// The state. For `bpf_iter_*_next`.
    ///
    /// # Safety
    ///
    /// [`init`](Self::init) was called. The verifier ensures this: it refuses programs that call
    /// `next` on an iterator that is not initialized.
    #[inline]
    pub(crate) unsafe fn state(&mut self) -> &mut S {
        // SAFETY: By the type invariant only this value uses the iterator, and the caller vouches
        // that it holds an `S`.
        unsafe { &mut *self.state }
    }

    /// Drops the state. For `bpf_iter_*_destroy`.
    ///
    /// # Safety
    ///
    /// As for [`state`](Self::state), and the state is not used again before the next `init`.
    #[inline]
    pub(crate) unsafe fn destroy(self) {
        // SAFETY: By the type invariant only this value uses the iterator, and the caller vouches
        // that it holds an `S`, which is not used later.
        unsafe { self.state.drop_in_place() };
    }
}

#[kernel::prelude::kunit_tests(bpf_percpu_iter)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// What BPF reserves for an iterator.
    type Iter = [u64; 3];

    /// A state that counts its drops.
    struct State<'a> {
        step: u32,
        drops: &'a Cell<u32>,
    }

    impl Drop for State<'_> {
        fn drop(&mut self) {
            self.drops.set(self.drops.get() + 1);
        }
    }

    /// What a kfunc that is called with `iter` makes of it.
    fn bpf_iter<'a>(iter: &mut Iter) -> BpfIter<Iter, State<'a>> {
        // SAFETY: Nothing else uses `iter` before the next call.
        unsafe { BpfIter::new(iter) }
    }

    #[test]
    fn keeps_its_state_between_calls() {
        let drops = Cell::new(0);
        let mut iter = [u64::MAX; 3];
        bpf_iter(&mut iter).init(State {
            step: 1,
            drops: &drops,
        });
        for step in 1..10 {
            let mut used = bpf_iter(&mut iter);
            // SAFETY: Initialized above.
            let state = unsafe { used.state() };
            assert_eq!(state.step, step);
            state.step += 1;
        }
        assert_eq!(drops.get(), 0);
    }

    #[test]
    fn drops_its_state_once() {
        let drops = Cell::new(0);
        let mut iter = [0; 3];
        bpf_iter(&mut iter).init(State {
            step: 0,
            drops: &drops,
        });
        assert_eq!(drops.get(), 0);
        // SAFETY: Initialized above, and not used again.
        unsafe { bpf_iter(&mut iter).destroy() };
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn forgets_what_was_there() {
        let drops = Cell::new(0);
        let mut iter = [0; 3];
        for step in 0..3 {
            bpf_iter(&mut iter).init(State {
                step,
                drops: &drops,
            });
        }
        assert_eq!(drops.get(), 0);
        let mut used = bpf_iter(&mut iter);
        // SAFETY: Initialized above.
        assert_eq!(unsafe { used.state() }.step, 2);
    }

    #[test]
    fn writes_no_more_than_its_state() {
        let drops = Cell::new(0);
        let mut iters = [[u64::MAX; 3]; 3];
        bpf_iter(&mut iters[1]).init(State {
            step: 0,
            drops: &drops,
        });
        assert_eq!(size_of::<State<'_>>(), 16);
        assert_eq!(iters[0], [u64::MAX; 3]);
        assert_eq!(iters[1][2], u64::MAX);
        assert_eq!(iters[2], [u64::MAX; 3]);
    }
}
