// SPDX-License-Identifier: GPL-2.0

//! Fixtures for tests of the lock.

use super::{
    LockError,
    Nesting,
    RqSpinLock, //
};
use crate::bindings::{
    bpf_percpu_helper_irqs_disabled,
    bpf_percpu_helper_preempt_count,
    bpf_percpu_helper_res_spin_locks_held, //
};
use kernel::prelude::*;

/// The state of a CPU that locks change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// Whether interrupts are disabled.
    pub(super) irqs_disabled: bool,
    /// The preemption count.
    pub(super) preempt_count: c_int,
    /// The locks that the CPU's table counts.
    pub(super) held: c_int,
}

impl State {
    /// The current state of this CPU. Without a lock held, that may be any CPU.
    pub(super) fn now() -> Self {
        // SAFETY: The functions have no preconditions.
        unsafe {
            Self {
                irqs_disabled: bpf_percpu_helper_irqs_disabled(),
                preempt_count: bpf_percpu_helper_preempt_count(),
                held: bpf_percpu_helper_res_spin_locks_held(),
            }
        }
    }

    /// The state of a thread that holds `locks` locks and has changed nothing else.
    pub(super) fn with(locks: c_int) -> Self {
        Self {
            irqs_disabled: locks != 0,
            preempt_count: locks,
            held: locks,
        }
    }
}

/// The error of an acquisition of `lock`, if any. The lock is released again.
pub(super) fn error<T>(lock: &RqSpinLock<T>, nesting: &mut Nesting) -> Option<LockError> {
    lock.lock_irqsave(nesting).err()
}

/// As [`error`], with no other lock held.
pub(super) fn error_alone<T>(lock: &RqSpinLock<T>) -> Option<LockError> {
    error(lock, &mut Nesting::new())
}

/// The data of a lock that is free.
pub(super) fn data_of<T: Copy>(lock: &RqSpinLock<T>) -> Result<T, LockError> {
    lock.lock_irqsave(&mut Nesting::new()).map(|guard| *guard)
}
