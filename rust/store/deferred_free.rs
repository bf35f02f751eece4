// SPDX-License-Identifier: GPL-2.0

//! Frees stores after the grace periods that their readers need.
//!
//! The last reference may be dropped in any context, even NMI, while others may still use the store:
//! lookups in RCU sections, and programs that have views. Sleepable programs run under RCU tasks trace,
//! all others under RCU. An NMI can start neither grace period, so the steps are:
//!
//! ```text
//!   queue() --irq_work--> call_rcu_tasks_trace() --> call_rcu() --> Store::after_grace_periods()
//! ```
//!
//! C headers: [`include/linux/irq_work.h`](srctree/include/linux/irq_work.h),
//! [`include/linux/rcupdate_trace.h`](srctree/include/linux/rcupdate_trace.h)

use super::{
    workqueue::Workqueue,
    Store, //
};
use crate::bindings::{
    bpf_percpu_helper_call_rcu_tasks_trace,
    bpf_percpu_helper_init_irq_work,
    bpf_percpu_helper_rcu_barrier_tasks_trace, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    types::Opaque, //
};

/// Stores that were queued and are not freed yet.
static WAITING: Atomic<u32> = Atomic::new(0);

/// The fields of a store that its deferred free needs.
pub(super) struct DeferredFree {
    work: Opaque<bindings::irq_work>,
    rcu: Opaque<bindings::callback_head>,
}

impl DeferredFree {
    pub(super) const fn new() -> Self {
        Self {
            work: Opaque::uninit(),
            rcu: Opaque::uninit(),
        }
    }
}

/// Calls [`Store::after_grace_periods`] when no reader can use `store` any more.
///
/// Context: any.
///
/// # Safety
///
/// `store` has no reference left, and lookups no longer find it. Called once for each store.
pub(super) unsafe fn queue(store: NonNull<Store>) {
    // ORDERING: Relaxed is enough: the irq_work, which leads to the decrement, is queued later.
    WAITING.add(1, Relaxed);
    // SAFETY: The store stays until `after_rcu()`, which runs after the irq_work. By the function's
    // contract nobody else uses its `deferred_free`.
    unsafe {
        let work = Opaque::cast_into(&raw const (*store.as_ptr()).deferred_free.work);
        bpf_percpu_helper_init_irq_work(work, Some(in_interrupt));
        bindings::irq_work_queue(work);
    }
}

/// # Safety
///
/// `work` is that of a [`DeferredFree`]. Called once for each.
unsafe extern "C" fn in_interrupt(work: *mut bindings::irq_work) {
    // SAFETY: `queue()` has queued the work of a store, which stays until `after_rcu()`. Only
    // this function and the callbacks that follow use the callback head.
    unsafe {
        let work = Opaque::cast_from(work).cast_mut();
        let store = container_of!(work, Store, deferred_free.work);
        let head = Opaque::cast_into(&raw const (*store).deferred_free.rcu);
        bpf_percpu_helper_call_rcu_tasks_trace(head, Some(after_rcu_tasks_trace));
    }
}

/// # Safety
///
/// `head` is that of a [`DeferredFree`]. Called once for each.
unsafe extern "C" fn after_rcu_tasks_trace(head: *mut bindings::callback_head) {
    // SAFETY: RCU tasks trace no longer uses the head, which stays until `after_rcu()`.
    unsafe { bindings::call_rcu(head, Some(after_rcu)) };
}

/// # Safety
///
/// `head` is that of a [`DeferredFree`]. Called once for each, when both grace periods are over.
unsafe extern "C" fn after_rcu(head: *mut bindings::callback_head) {
    // SAFETY: The head is part of a store that was passed to `queue()`, so the store was released.
    // Programs run in sections of RCU or RCU tasks trace, and all sections that could have found the
    // store have ended.
    unsafe {
        let head = Opaque::cast_from(head).cast_mut();
        let store = container_of!(head, Store, deferred_free.rcu);
        Store::after_grace_periods(NonNull::new_unchecked(store));
    }
}

/// Called when a store that was queued is freed.
pub(super) fn count_freed() {
    // ORDERING: Pairs with the Acquire in `waiting()`: the store's reservation was dropped before.
    WAITING.fetch_sub(1, Release);
}

/// The number of stores that wait to be freed.
pub(super) fn waiting() -> u32 {
    // ORDERING: Pairs with the Release in `count_freed()`: a creation that reads 0 sees that the
    // bytes of all freed stores are available, and does not fail with `ENOSPC` because of them.
    WAITING.load(Acquire)
}

/// Waits until the stores that were dropped before are freed, except stores that another CPU has just
/// dropped (its irq_work may be pending), and keyed stores with entries in use.
///
/// Context: process, may sleep.
pub(super) fn wait() {
    // SAFETY: Sleeping is allowed here. The first barrier waits for calls of `after_rcu_tasks_trace()`,
    // which queue the RCU callbacks that the second barrier waits for.
    unsafe {
        bpf_percpu_helper_rcu_barrier_tasks_trace();
        bindings::rcu_barrier();
    }
    // Those callbacks queue the work that frees keyed stores.
    Workqueue::flush();
}

/// Waits until all stores that were dropped are freed, and until no CPU runs code of this file.
///
/// Context: process, may sleep. No store is dropped during the call.
pub(super) fn wait_for_all() {
    while waiting() != 0 {
        wait();
        // An irq_work of another CPU may not have run yet.
        // SAFETY: Sleeping is allowed here.
        unsafe { bindings::msleep(1) };
    }
    // The last call of `after_rcu()` may not have returned yet.
    wait();
}

#[cfg(CONFIG_KUNIT = "y")]
pub(super) mod fixtures {
    use super::*;

    /// The result of `test` while `count` more stores seem to wait.
    pub(in crate::store) fn with_waiting<R>(count: u32, test: impl FnOnce() -> R) -> R {
        WAITING.add(count, Relaxed);
        let result = test();
        WAITING.fetch_sub(count, Relaxed);
        result
    }
}

#[kunit_tests(bpf_percpu_deferred_free)]
mod tests {
    use super::*;
    use crate::{
        bindings::{
            bpf_percpu_helper_rcu_read_lock_trace,
            bpf_percpu_helper_rcu_read_unlock_trace, //
        },
        percpu::PossibleCpu,
        store::{
            self,
            fixtures::{
                create,
                name, //
            },
        },
    };
    use core::ptr;
    use kernel::sync::{
        aref::ARef,
        rcu, //
    };

    /// A store filled with `0x5a`, not pinned.
    fn create_full() -> Result<ARef<Store>> {
        Store::create(name("kunit")?, 64, &[0x5a; 64], false)
    }

    /// Whether the memory is as [`create_full`] made it.
    fn is_full(store: &Store) -> bool {
        let mut bytes = [0; 64];
        PossibleCpu::all()
            .all(|cpu| store.memory().read_on(cpu, 0, &mut bytes).is_ok() && bytes == [0x5a; 64])
    }

    /// Runs `work` in a hard interrupt.
    fn in_hard_interrupt(work: unsafe extern "C" fn(*mut bindings::irq_work)) {
        let on_stack = Opaque::<bindings::irq_work>::uninit();
        // SAFETY: The work stays until it has run: `irq_work_sync()` waits for it.
        unsafe {
            bpf_percpu_helper_init_irq_work(on_stack.get(), Some(work));
            bindings::irq_work_queue(on_stack.get());
            bindings::irq_work_sync(on_stack.get());
        }
    }

    /// A reference that an interrupt drops.
    static OWNED: Atomic<*mut Store> = Atomic::new(ptr::null_mut());
    /// The id that an interrupt looks up, and then how often it has found a store.
    static FOUND: Atomic<u32> = Atomic::new(0);

    /// # Safety
    ///
    /// [`OWNED`] has a reference, or is null.
    unsafe extern "C" fn drop_owned(_work: *mut bindings::irq_work) {
        if let Some(store) = NonNull::new(OWNED.xchg(ptr::null_mut(), Relaxed)) {
            // SAFETY: `OWNED` has a reference, which the exchange has taken.
            drop(unsafe { ARef::from_raw(store) });
        }
    }

    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn look_up(_work: *mut bindings::irq_work) {
        let mut cursor = 0;
        let by_name = name("kunit").is_ok_and(|name| store::find(&name).is_some());
        let by_id = store::find_id(FOUND.load(Relaxed)).is_some();
        let by_walk = store::next(&mut cursor).is_some();
        FOUND.store(
            u32::from(by_name) + u32::from(by_id) + u32::from(by_walk),
            Relaxed,
        );
    }

    #[test]
    fn each_waits_once() -> Result {
        wait_for_all();
        for texts in [&["a"][..], &["a", "b"], &["a", "b", "c", "d", "e"]] {
            let mut stores = KVec::new();
            for text in texts {
                stores.push(create(text, 8)?, GFP_KERNEL)?;
            }
            let waited = {
                let _rcu = rcu::read_lock();
                drop(stores);
                waiting()
            };
            assert_eq!(waited, texts.len() as u32);
            wait_for_all();
            assert_eq!(waiting(), 0);
        }
        Ok(())
    }

    #[test]
    fn not_while_it_is_used() -> Result {
        wait_for_all();
        let store = create_full()?;
        let other = store.clone();
        drop(store);
        wait();
        assert_eq!(waiting(), 0);
        assert!(is_full(&other));
        Ok(())
    }

    #[test]
    fn waits_for_readers() -> Result {
        wait_for_all();
        let store = create_full()?;
        let (waited, full) = {
            let _rcu = rcu::read_lock();
            // SAFETY: In the RCU section above.
            let dead = unsafe { store::lookup_rcu(store.id()) }.ok_or(ENOENT)?;
            drop(store);
            for _ in 0..50 {
                // SAFETY: Has no preconditions.
                unsafe { bindings::udelay(1000) };
            }
            (waiting(), is_full(dead))
        };
        assert_eq!(waited, 1);
        assert!(full);
        wait_for_all();
        assert_eq!(waiting(), 0);
        Ok(())
    }

    #[test]
    fn waits_for_sleepable_readers() -> Result {
        wait_for_all();
        let store = create_full()?;
        // SAFETY: The section is left below. It keeps the store, as `lookup_rcu()` requires.
        let (waited, full) = unsafe {
            bpf_percpu_helper_rcu_read_lock_trace();
            let dead = store::lookup_rcu(store.id());
            drop(store);
            bindings::msleep(100);
            // An RCU grace period alone does not free the store.
            bindings::synchronize_rcu();
            let waited = (waiting(), dead.is_some_and(is_full));
            bpf_percpu_helper_rcu_read_unlock_trace();
            waited
        };
        assert_eq!(waited, 1);
        assert!(full);
        wait_for_all();
        assert_eq!(waiting(), 0);
        Ok(())
    }

    #[test]
    fn wait_is_enough_for_this_cpus() -> Result {
        wait_for_all();
        for _ in 0..3 {
            drop(create("kunit", 8)?);
            // Lets the irq_work run, even if the case has migrated to another CPU.
            // SAFETY: Sleeping is allowed here.
            unsafe { bindings::msleep(1) };
            wait();
            assert_eq!(waiting(), 0);
        }
        Ok(())
    }

    #[test]
    fn waits_for_all() -> Result {
        for _ in 0..64 {
            drop(create("kunit", 8)?);
        }
        wait_for_all();
        assert_eq!(waiting(), 0);
        // And returns when there are none.
        wait_for_all();
        Ok(())
    }

    #[test]
    fn dropped_in_an_interrupt() -> Result {
        let before = store::registry::fixtures::counts();
        let store = create_full()?;
        let id = store.id();
        let other = store.clone();
        for (store, remains) in [(store, true), (other, false)] {
            OWNED.store(ARef::into_raw(store).as_ptr(), Relaxed);
            in_hard_interrupt(drop_owned);
            assert!(OWNED.load(Relaxed).is_null());
            assert_eq!(store::find_id(id).is_some(), remains);
            assert_eq!(store::find(&name("kunit")?).is_some(), remains);
        }
        assert_eq!(store::registry::fixtures::counts(), before);
        Ok(())
    }

    #[test]
    fn found_in_an_interrupt() -> Result {
        let store = create_full()?;
        FOUND.store(store.id(), Relaxed);
        in_hard_interrupt(look_up);
        assert_eq!(FOUND.load(Relaxed), 3);
        assert_eq!(store.refs(), 1);
        Ok(())
    }
}
