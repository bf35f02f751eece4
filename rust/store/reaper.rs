// SPDX-License-Identifier: GPL-2.0

//! Freeing of stores.
//!
//! A store may be dropped in any context, by a program in an NMI too, and others may still use
//! what they found before: lookups under RCU, and sleepable programs, which run under RCU tasks
//! trace, the views that they took. So an interrupt of the CPU's own takes over, and the
//! memory is freed after a grace period of each kind.
//!
//! C headers: [`include/linux/irq_work.h`](srctree/include/linux/irq_work.h),
//! [`include/linux/rcupdate_trace.h`](srctree/include/linux/rcupdate_trace.h)

use super::Store;
use crate::bindings::{
    bpf_percpu_helper_call_rcu_tasks_trace,
    bpf_percpu_helper_init_irq_work,
    bpf_percpu_helper_rcu_barrier_tasks_trace, //
};
use core::ptr::NonNull;
use kernel::{
    bindings, container_of,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed,
        Release, //
    },
    types::Opaque,
};

/// Stores that wait to be freed.
static WAITING: Atomic<u32> = Atomic::new(0);

/// What a store needs to be freed.
pub(super) struct Grave {
    work: Opaque<bindings::irq_work>,
    rcu: Opaque<bindings::callback_head>,
}

impl Grave {
    pub(super) const fn new() -> Self {
        Self {
            work: Opaque::uninit(),
            rcu: Opaque::uninit(),
        }
    }
}

/// Frees `store` when nobody can use it any more.
///
/// Context: any.
///
/// # Safety
///
/// `store` comes from [`KBox::into_raw`]. Nobody can find it any more, and it is not buried twice.
pub(super) unsafe fn bury(store: NonNull<Store>) {
    WAITING.add(1, Relaxed);
    // SAFETY: By the function's contract the store is there, and its grave is used here only. It
    // stays there until `after_rcu`, which is long after the work has run.
    unsafe {
        let work = Opaque::cast_into(&raw const (*store.as_ptr()).grave.work);
        bpf_percpu_helper_init_irq_work(work, Some(in_interrupt));
        bindings::irq_work_queue(work);
    }
}

/// # Safety
///
/// Called with the work of a grave, once.
unsafe extern "C" fn in_interrupt(work: *mut bindings::irq_work) {
    // SAFETY: By the function's contract; the grave is part of a store that stays until
    // `after_rcu`.
    unsafe {
        let store = container_of!(Opaque::cast_from(work).cast_mut(), Store, grave.work);
        let head = Opaque::cast_into(&raw const (*store).grave.rcu);
        bpf_percpu_helper_call_rcu_tasks_trace(head, Some(after_rcu_tasks_trace));
    }
}

/// # Safety
///
/// Called with the head of a grave, once.
unsafe extern "C" fn after_rcu_tasks_trace(head: *mut bindings::callback_head) {
    // SAFETY: By the function's contract; the head is free again.
    unsafe { bindings::call_rcu(head, Some(after_rcu)) };
}

/// # Safety
///
/// Called with the head of a grave, once.
unsafe extern "C" fn after_rcu(head: *mut bindings::callback_head) {
    // SAFETY: By the function's contract; by the contract of `bury()` the store is a box, and after
    // both grace periods nobody uses it.
    drop(unsafe {
        KBox::from_raw(container_of!(
            Opaque::cast_from(head).cast_mut(),
            Store,
            grave.rcu
        ))
    });
    WAITING.fetch_sub(1, Release);
}

/// Waits for the stores that were dropped before. Those of other CPUs, a moment ago, may not be
/// among them.
///
/// Context: process, may sleep.
pub(super) fn wait() {
    // SAFETY: The functions have no preconditions but that they may sleep. The first barrier waits
    // for calls of `after_rcu_tasks_trace`, which make those that the second waits for.
    unsafe {
        bpf_percpu_helper_rcu_barrier_tasks_trace();
        bindings::rcu_barrier();
    }
}

/// How many stores wait to be freed.
pub(super) fn waiting() -> u32 {
    WAITING.load(Relaxed)
}

/// Waits for all stores that were dropped, and for the code here to be left.
///
/// Context: process, may sleep. Nobody drops stores meanwhile.
pub(super) fn finish() {
    while waiting() != 0 {
        wait();
        // An interrupt may still be on its way to another CPU.
        // SAFETY: Sleeping is allowed here.
        unsafe { bindings::msleep(1) };
    }
    // The last call of `after_rcu` may not have returned.
    wait();
}
