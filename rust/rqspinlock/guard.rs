// SPDX-License-Identifier: GPL-2.0

//! Locks that are held.
//!
//! C has locks released in the opposite order of their acquisition: a release takes the last entry
//! out of the CPU's table, whichever lock it is of, and puts interrupts back to what they were when
//! the lock was taken. Here the types see to it. A guard borrows a [`Nesting`] mutably, and only
//! the guard has it to lend for the locks inside of its own, so those are released first. Neither
//! can be sent to another thread.
//!
//! What types cannot see to, in safe code:
//!
//! - A second [`Nesting`], made where another is borrowed: guards of the two may be dropped in any
//!   order. Then the table misses locks that are held, or has some that are not, and deadlocks are
//!   seen too late, by the timeout, or where there are none; interrupts may come back before the
//!   inner lock is released, or stay off when both are.
//! - A guard that is forgotten: its lock is never released, interrupts and preemption stay off, and
//!   all who come to the lock get errors.
//!
//! Neither is unsound. The lock's own word decides who gets to the data; the table only says why
//! nobody does, and its entries are compared and never followed. A release takes out as many
//! entries as an acquisition put in, whatever their order.
//!
//! Like each spin lock, this must not be held by code that sleeps, which types of the kernel do not
//! see: it could go on, and release the lock, on a CPU whose table has no entry.

use super::RqSpinLock;
use crate::bindings::bpf_percpu_helper_res_spin_unlock_irqrestore;
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::{
    ffi::c_ulong,
    types::NotThreadSafe, //
};

/// What a CPU holds, in the order in which it has to be released.
///
/// Whoever takes locks makes one, where no other is at hand: a handler of interrupts or NMIs does,
/// as it is done before what it interrupted goes on. From there on it is passed by reference.
pub(crate) struct Nesting(NotThreadSafe);

impl Nesting {
    /// Of somebody who holds no lock.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(NotThreadSafe)
    }
}

/// The data of an [`RqSpinLock`], which is held as long as this is there.
///
/// # Invariants
///
/// The lock was locked for this guard alone, on this CPU and with `flags`, and is released by
/// nobody else.
#[must_use = "the lock is released at once when the guard is not kept"]
pub(crate) struct RqSpinLockGuard<'a, T> {
    lock: &'a RqSpinLock<T>,
    /// Makes the guard `!Send`, too.
    nesting: &'a mut Nesting,
    /// What interrupts were.
    flags: c_ulong,
}

impl<'a, T> RqSpinLockGuard<'a, T> {
    /// # Safety
    ///
    /// The caller holds the lock, took it on this CPU with `flags`, and leaves it to the guard.
    #[inline]
    pub(super) unsafe fn new(
        lock: &'a RqSpinLock<T>,
        nesting: &'a mut Nesting,
        flags: c_ulong,
    ) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            lock,
            nesting,
            flags,
        }
    }

    /// The data, and the nesting for the locks that are taken inside of this one.
    #[inline]
    pub(crate) fn split(&mut self) -> (&mut T, &mut Nesting) {
        // SAFETY: By the type's invariant the lock is held, and the guard is borrowed mutably.
        (unsafe { &mut *self.lock.data.get() }, self.nesting)
    }
}

impl<T> Deref for RqSpinLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type's invariant the lock is held, and the guard is borrowed.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for RqSpinLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.split().0
    }
}

impl<T> Drop for RqSpinLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; nobody has the data any more.
        unsafe { bpf_percpu_helper_res_spin_unlock_irqrestore(self.lock.lock.get(), self.flags) };
    }
}
