// SPDX-License-Identifier: GPL-2.0

//! A resilient queued spin lock: acquiring it fails where another spin lock would deadlock.
//!
//! It protects data that is shared by code in any context, NMIs included, or by code whose freedom
//! from deadlock has not been proven, such as BPF programs. The C implementation keeps a per-CPU
//! table of the locks that the CPU holds or waits for, in which a waiter looks for a deadlock:
//!
//! - *AA*: this CPU already holds the lock, in an outer scope or in the context that was
//!   interrupted. Detected at once.
//! - *ABBA*: another CPU holds the lock, and waits for one that this CPU holds. Checked every
//!   millisecond.
//! - A *timeout* ends every other wait: deadlocks of more than two CPUs, and long critical
//!   sections. The CPU that is next in turn gives up after 250 ms, the head of the queue behind it
//!   after 500 ms, and the rest of the queue with its head. Where there is no queue, a CPU gives up
//!   after a second: on architectures without queued spin locks, and in x86 guests whose hypervisor
//!   has no paravirtual spin locks.
//!
//! The table has `RES_NR_HELD` (31) entries. Locks beyond them work, but are only counted: AA and
//! ABBA are then detected only for the first 30 locks that this CPU holds, and other CPUs do not
//! see which lock it waits for. The timeouts remain.
//!
//! NMIs may take any lock. An NMI that has to wait for a lock that its CPU holds or is about to
//! acquire gets [`Deadlock`](LockError::Deadlock): the lock is in the table from before its
//! acquisition until after its release. So does an NMI that finds its CPU in the queue of any lock,
//! because it cannot queue a second time.
//!
//! The C implementation requires locks to be released in the reverse order of their acquisition: a
//! release removes the last entry of the CPU's table, whichever lock it belongs to, and restores
//! the interrupt state from when the lock was taken. Here the types enforce the order. A guard
//! mutably borrows a [`Nesting`], and locks that are taken inside of it have to borrow that from
//! the guard, so they are released first. Neither type is `Send`.
//!
//! What the types cannot prevent, in safe code:
//!
//! - A second [`Nesting`] that is made while another one is borrowed: guards of the two may be
//!   dropped in any order. The table then lacks locks that are held, or lists some that are not, so
//!   deadlocks are detected late, by the timeout, or reported where there are none. Interrupts may
//!   be enabled before the inner lock is released, or stay disabled after both are.
//! - A guard that is forgotten: its lock is never released, interrupts and preemption remain
//!   disabled, and everyone else who wants the lock gets an error.
//!
//! Neither is unsound. The lock's own word decides who may access the data. The table only says why
//! nobody can; its entries are compared and never dereferenced. Each release removes one entry and
//! each acquisition adds one, whatever their order.
//!
//! As with any spin lock, code that holds it must not sleep, which no type of the kernel crate
//! enforces: it could continue, and release the lock, on a CPU whose table has no entry for it.
//!
//! C header: [`include/asm-generic/rqspinlock.h`](srctree/include/asm-generic/rqspinlock.h)

#[cfg(CONFIG_KUNIT = "y")]
mod fixtures;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use crate::bindings::{
    bpf_percpu_helper_res_spin_lock_irqsave,
    bpf_percpu_helper_res_spin_unlock_irqrestore, //
};
use core::{
    cell::UnsafeCell,
    ops::{
        Deref,
        DerefMut, //
    },
};
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_ulong, //
    },
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A lock that reports deadlocks instead of causing them, and the data that it protects.
///
/// It is not known to lockdep, so it needs neither a name nor a class, and may be a static. It need
/// not be pinned: the kernel's [`rqspinlock_t`] is one word, with flags and the tail of the queue,
/// and only the tables of CPUs that hold it or wait for it point to it. They borrow it. If a guard
/// was forgotten, a table keeps the old address, which is only compared.
///
/// # Examples
///
/// Two nested locks:
///
/// ```ignore
/// fn transfer(from: &RqSpinLock<u64>, to: &RqSpinLock<u64>, amount: u64) -> Result {
///     let mut nesting = Nesting::new();
///     let mut from = from.lock_irqsave(&mut nesting)?;
///     let (from, nesting) = from.split();
///     let mut to = to.lock_irqsave(nesting)?;
///     *from = from.checked_sub(amount).ok_or(ERANGE)?;
///     *to = to.wrapping_add(amount);
///     Ok(())
/// }
/// ```
///
/// No lock order is needed: of two CPUs that transfer in opposite directions, one gets `EDEADLK`
/// and changes nothing. So does a transfer from a lock to itself.
///
/// # Invariants
///
/// `lock` is an initialized lock. While it is locked, only its holder uses the data.
///
/// [`rqspinlock_t`]: srctree/include/asm-generic/rqspinlock.h
pub(crate) struct RqSpinLock<T> {
    lock: Opaque<bindings::rqspinlock_t>,
    data: UnsafeCell<T>,
}

// SAFETY: The lock itself belongs to no thread, so the value may be sent if the data may.
unsafe impl<T: Send> Send for RqSpinLock<T> {}

// SAFETY: Only the holder of the lock can access the data, so the data need not be `Sync`.
unsafe impl<T: Send> Sync for RqSpinLock<T> {}

impl<T> RqSpinLock<T> {
    /// A lock that nobody holds.
    pub(crate) const fn new(data: T) -> Self {
        // INVARIANT: Zero is what `raw_res_spin_lock_init()` writes, for each type of lock.
        Self {
            lock: Opaque::zeroed(),
            data: UnsafeCell::new(data),
        }
    }

    /// Acquires the lock, inside of those that `nesting` is borrowed from. Interrupts and
    /// preemption are disabled until the guard is dropped.
    ///
    /// # Errors
    ///
    /// See [`LockError`]. On error nothing has changed: neither the lock, nor the interrupt and
    /// preemption state, nor outer locks. After [`Deadlock`](LockError::Deadlock) a retry can only
    /// succeed once the outer locks are released.
    ///
    /// Context: any.
    #[inline]
    pub(crate) fn lock_irqsave<'a>(
        &'a self,
        nesting: &'a mut Nesting,
    ) -> Result<RqSpinLockGuard<'a, T>, LockError> {
        let mut flags = 0;
        // SAFETY: By the type invariant it is an initialized lock, which is borrowed for `'a`.
        match unsafe { bpf_percpu_helper_res_spin_lock_irqsave(self.lock.get(), &mut flags) } {
            // SAFETY: This CPU has just acquired it, with these flags.
            0 => Ok(unsafe { RqSpinLockGuard::new(self, nesting, flags) }),
            errno => Err(LockError::from_errno(errno)),
        }
    }
}

/// Why a lock was not taken.
#[must_use = "the lock was not taken"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockError {
    /// This CPU holds the lock, or its holder waits for one that this CPU holds, or an NMI could
    /// not wait for it.
    Deadlock,
    /// The lock was not released in time.
    TimedOut,
}

/// The errno of a deadlock. [`kernel::error::code`] has it from 7.3 on.
const DEADLOCK: c_int = -(bindings::EDEADLK as c_int);

impl LockError {
    /// Converts the errno of the C function. One that it does not document is no proof of a
    /// deadlock.
    #[inline]
    fn from_errno(errno: c_int) -> Self {
        if errno == DEADLOCK {
            Self::Deadlock
        } else {
            Self::TimedOut
        }
    }
}

impl From<LockError> for Error {
    #[inline]
    fn from(error: LockError) -> Self {
        match error {
            LockError::Deadlock => Error::from_errno(DEADLOCK),
            LockError::TimedOut => ETIMEDOUT,
        }
    }
}

/// The nesting of the locks that a CPU holds, which determines the order of their release.
///
/// Code that takes its first lock makes one, and passes it on by reference. So does an interrupt or
/// NMI handler, because it finishes before the code that it interrupted continues.
pub(crate) struct Nesting(NotThreadSafe);

impl Nesting {
    /// A nesting without locks.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(NotThreadSafe)
    }
}

/// A held [`RqSpinLock`], which gives access to the data. Dropping it releases the lock.
///
/// # Invariants
///
/// This CPU acquired the lock, with `flags`, for this guard, and nothing else releases it.
#[must_use = "the lock is released immediately if the guard is not kept"]
pub(crate) struct RqSpinLockGuard<'a, T> {
    lock: &'a RqSpinLock<T>,
    /// Also makes the guard `!Send`.
    nesting: &'a mut Nesting,
    /// The interrupt state from before.
    flags: c_ulong,
}

impl<'a, T> RqSpinLockGuard<'a, T> {
    /// # Safety
    ///
    /// The caller acquired the lock on this CPU, with `flags`, and leaves its release to the guard.
    #[inline]
    unsafe fn new(lock: &'a RqSpinLock<T>, nesting: &'a mut Nesting, flags: c_ulong) -> Self {
        // INVARIANT: The caller guarantees just this.
        Self {
            lock,
            nesting,
            flags,
        }
    }

    /// The data, and the nesting for locks that are taken inside of this one.
    #[inline]
    pub(crate) fn split(&mut self) -> (&mut T, &mut Nesting) {
        // SAFETY: By the type invariant the lock is held for this guard, which is mutably borrowed.
        (unsafe { &mut *self.lock.data.get() }, self.nesting)
    }
}

impl<T> Deref for RqSpinLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the lock is held for this guard, which is borrowed.
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
        // SAFETY: By the type invariant this CPU acquired the lock with these flags, and nothing
        // else releases it. The borrows of the data have ended.
        unsafe { bpf_percpu_helper_res_spin_unlock_irqrestore(self.lock.lock.get(), self.flags) };
    }
}
