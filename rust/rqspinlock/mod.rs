// SPDX-License-Identifier: GPL-2.0

//! A resilient queued spin lock: one whose acquisition fails where that of another would hang.
//!
//! It is for data that code in any context shares, NMIs included, or code that nobody has proven
//! free of deadlocks, like BPF programs. C puts each lock that a CPU holds or waits for into a
//! table of that CPU's, and who waits looks there for the reason:
//!
//! - *AA*: this CPU holds the lock already: further out, or in what was interrupted. Seen at once.
//! - *ABBA*: another CPU holds it, and waits for a lock that this one holds. Looked for each
//!   millisecond.
//! - A *timeout* ends all else: deadlocks of more than two CPUs, and holders that take too long.
//!   Who is next in turn waits for 250 ms, who is behind that one for 500 ms, and when the first
//!   of a queue gives up, so does the queue. Where there is no queue, waiting ends after a second:
//!   on architectures without queued spin locks, and in x86 guests whose hypervisor offers no
//!   spin locks of its own.
//!
//! The table has `RES_NR_HELD` (31) entries. Locks that are taken beyond them work, but are only
//! counted: of what this CPU holds, AA and ABBA are then seen for the first 30 only, and other CPUs
//! do not see what this one waits for. Timeouts remain.
//!
//! NMIs may take any lock. One that comes while its CPU holds the lock, or is about to, gets
//! [`Deadlock`](LockError::Deadlock) when it has to wait: the lock is in the table before it is
//! taken, and until after it is released. So does one that finds its CPU in a queue already, of any
//! lock, as there it cannot queue.
//!
//! C header: [`include/asm-generic/rqspinlock.h`](srctree/include/asm-generic/rqspinlock.h)

mod guard;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

pub(crate) use guard::{
    Nesting,
    RqSpinLockGuard, //
};

use crate::bindings::bpf_percpu_helper_res_spin_lock_irqsave;
use core::cell::UnsafeCell;
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    types::Opaque, //
};

/// A lock that tells of deadlocks instead of ending in one, and the data that it protects.
///
/// Neither lockdep nor a name is involved, so it needs no class, and a static can be one. It need
/// not be pinned: the kernel's [`rqspinlock_t`] is one word, of flags and of where the queue's end
/// is, and nothing points to it but what CPUs that hold it or wait for it have in their tables.
/// They borrow it. Where a guard was forgotten, a table has the old address, which is only
/// compared.
///
/// # Examples
///
/// Two locks, one inside of the other:
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
/// No order of locks is needed: of two CPUs that transfer in opposite directions, one gets
/// `EDEADLK` and has changed nothing, and so does one that is asked to transfer from a lock to
/// itself.
///
/// # Invariants
///
/// `lock` is a lock that was initialized. While it is locked, the data is used only by who locked
/// it.
///
/// [`rqspinlock_t`]: srctree/include/asm-generic/rqspinlock.h
pub(crate) struct RqSpinLock<T> {
    lock: Opaque<bindings::rqspinlock_t>,
    data: UnsafeCell<T>,
}

// SAFETY: It may go to another CPU if the data may: the lock itself belongs to none.
unsafe impl<T: Send> Send for RqSpinLock<T> {}

// SAFETY: Only one CPU at a time gets to the data, by a guard that it keeps, so the data need not
// be `Sync`.
unsafe impl<T: Send> Sync for RqSpinLock<T> {}

impl<T> RqSpinLock<T> {
    /// A lock that nobody holds.
    pub(crate) const fn new(data: T) -> Self {
        // INVARIANT: Zero is what `raw_res_spin_lock_init()` writes, whichever type the lock is.
        Self {
            lock: Opaque::zeroed(),
            data: UnsafeCell::new(data),
        }
    }

    /// Takes the lock, inside of those that `nesting` is borrowed from. Interrupts and preemption
    /// are off until the guard is dropped.
    ///
    /// # Errors
    ///
    /// Nothing has changed then: the lock, interrupts and preemption are as they were, and so are
    /// locks further out. Trying again is no remedy where the error is
    /// [`Deadlock`](LockError::Deadlock), unless the locks further out are released first.
    ///
    /// Context: any.
    #[inline]
    pub(crate) fn lock_irqsave<'a>(
        &'a self,
        nesting: &'a mut Nesting,
    ) -> Result<RqSpinLockGuard<'a, T>, LockError> {
        let mut flags = 0;
        // SAFETY: By the type's invariant it is a lock, and stays one while it is borrowed.
        match unsafe { bpf_percpu_helper_res_spin_lock_irqsave(self.lock.get(), &mut flags) } {
            // SAFETY: It was locked with these flags, just now and on this CPU.
            0 => Ok(unsafe { RqSpinLockGuard::new(self, nesting, flags) }),
            errno => Err(LockError::from_errno(errno)),
        }
    }
}

/// Why a lock was not taken.
#[must_use = "the lock was not taken"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockError {
    /// This CPU holds the lock, or its holder waits for one that this CPU holds; in an NMI also
    /// that there was no way to wait.
    Deadlock,
    /// It was not released in time.
    TimedOut,
}

/// What C returns for a deadlock. [`kernel::error::code`] has it from 7.3 on.
const DEADLOCK: c_int = -(bindings::EDEADLK as c_int);

impl LockError {
    /// What the error of a C function says. One that it does not document is no proof of a
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
