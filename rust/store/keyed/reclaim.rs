// SPDX-License-Identifier: GPL-2.0

//! Hands entries over to the worker that frees them.
//!
//! The last reference to an entry may be dropped in any context, even NMI, while others may still use the
//! entry. An NMI can neither wait nor queue work, so an irq_work queues the work. The worker takes all
//! entries that were handed over, and waits for both grace periods once for all of them.
//!
//! C headers: [`include/linux/llist.h`](srctree/include/linux/llist.h),
//! [`include/linux/irq_work.h`](srctree/include/linux/irq_work.h),
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::Entry;
use crate::{
    bindings::{
        bpf_percpu_helper_init_irq_work,
        bpf_percpu_helper_init_work,
        bpf_percpu_helper_llist_add,
        bpf_percpu_helper_llist_del_all,
        bpf_percpu_helper_work_pending, //
    },
    store::workqueue::Workqueue,
};
use core::{
    iter,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    container_of,
    sync::rcu,
    types::Opaque, //
};

/// The entries that wait for the worker, and the works that run it.
pub(super) struct Reclaim {
    dead: Opaque<bindings::llist_head>,
    kick: Opaque<bindings::irq_work>,
    pub(super) work: Opaque<bindings::work_struct>,
}

impl Reclaim {
    pub(super) const fn new() -> Self {
        Self {
            dead: Opaque::zeroed(),
            kick: Opaque::uninit(),
            work: Opaque::uninit(),
        }
    }

    /// Initializes the works; `clean_up` is called with `work`. Called once, when the value has its
    /// final address.
    pub(super) fn init(&self, clean_up: unsafe extern "C" fn(*mut bindings::work_struct)) {
        // SAFETY: Nobody uses the works yet.
        unsafe {
            bpf_percpu_helper_init_irq_work(self.kick.get(), Some(in_interrupt));
            bpf_percpu_helper_init_work(self.work.get(), Some(clean_up));
        }
    }

    /// Hands over `entry`: an orphan, or an entry without references.
    ///
    /// Context: any.
    pub(super) fn push(&self, entry: &Entry) {
        // The worker may take the entry as soon as it is added, and free the store that contains `self`. It
        // first waits for this RCU section: see `Keyed::quiesce()`.
        let _rcu = rcu::read_lock();
        // SAFETY: List and entry are part of the same store. An entry is handed over once as an orphan,
        // and after that once without references, so it is not already on the list. `init()` was called.
        unsafe {
            if bpf_percpu_helper_llist_add(entry.dead.get(), self.dead.get()) {
                bindings::irq_work_queue(self.kick.get());
            }
        }
    }

    /// Takes all entries that were handed over.
    pub(super) fn take_all<'a>(&'a self) -> impl Iterator<Item = &'a Entry> {
        // SAFETY: Only `push()` adds to the list, and entries live as long as the store.
        let mut node = unsafe { bpf_percpu_helper_llist_del_all(self.dead.get()) };
        iter::from_fn(move || {
            let at = NonNull::new(node)?.as_ptr();
            // SAFETY: `at` is the node of an entry. The link is read before the entry is returned to
            // the caller, who may hand it over again.
            unsafe {
                node = (*at).next;
                Some(&*container_of!(
                    Opaque::cast_from(at).cast_mut(),
                    Entry,
                    dead
                ))
            }
        })
    }

    /// Queues the work.
    ///
    /// Context: any but NMI.
    pub(super) fn queue(&self) {
        // SAFETY: `init()` was called, and only the work frees the store.
        unsafe { Workqueue::queue(self.work.get()) };
    }

    /// Waits for the irq_work of completed [`push`](Self::push) calls, and returns whether the work is
    /// pending.
    ///
    /// Context: process, may sleep.
    pub(super) fn sync_and_test_pending(&self) -> bool {
        // SAFETY: Sleeping is allowed here, and `init()` was called.
        unsafe {
            bindings::irq_work_sync(self.kick.get());
            bpf_percpu_helper_work_pending(self.work.get())
        }
    }
}

/// # Safety
///
/// Called with the irq_work of a [`Reclaim`].
unsafe extern "C" fn in_interrupt(work: *mut bindings::irq_work) {
    // SAFETY: The irq_work is part of a `Reclaim`, which stays until `sync_and_test_pending()` has waited
    // for this handler.
    unsafe {
        let reclaim = container_of!(Opaque::cast_from(work).cast_mut(), Reclaim, kick);
        (*reclaim).queue();
    }
}
