// SPDX-License-Identifier: GPL-2.0

//! Hands entries over to the worker that frees them.
//!
//! The last reference to an entry may be dropped in any context, by a program in an NMI too, while others
//! may still use the entry. An NMI can neither wait nor queue work, so an irq_work queues it. The worker
//! takes all entries that were handed over, and waits for both grace periods once for all of them.
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

/// The entries that wait for the worker, and what wakes it.
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

    /// Hands `entry` over, which is an orphan, or whose last reference was dropped.
    ///
    /// Context: any.
    pub(super) fn push(&self, entry: &Entry) {
        // The worker may take the entry as soon as it is added, and free the store that all this is part
        // of. It waits for this section first: see `Keyed::is_quiescent()`.
        let _rcu = rcu::read_lock();
        // SAFETY: List and entry are part of the same store. An entry is handed over once as an orphan,
        // and after that once without references, so that it is in no list. `init()` was called.
        unsafe {
            if bpf_percpu_helper_llist_add(entry.dead.get(), self.dead.get()) {
                bindings::irq_work_queue(self.kick.get());
            }
        }
    }

    /// Takes all entries that were handed over.
    pub(super) fn take_all<'a>(&'a self) -> impl Iterator<Item = &'a Entry> {
        // SAFETY: `push()` alone adds to the list, and entries stay with the store.
        let mut node = unsafe { bpf_percpu_helper_llist_del_all(self.dead.get()) };
        iter::from_fn(move || {
            let at = NonNull::new(node)?.as_ptr();
            // SAFETY: `at` is the node of an entry. The link is read before the caller has the entry,
            // which may then be handed over again.
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
        // SAFETY: `init()` was called, and the store is freed by the work only.
        unsafe { Workqueue::queue(self.work.get()) };
    }

    /// Whether the work is queued, after all calls of [`push`](Self::push) that are over.
    ///
    /// Context: process, may sleep.
    pub(super) fn is_queued(&self) -> bool {
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
    // SAFETY: The irq_work is part of a `Reclaim`, which stays until `is_queued()` has waited for this.
    unsafe {
        let reclaim = container_of!(Opaque::cast_from(work).cast_mut(), Reclaim, kick);
        (*reclaim).queue();
    }
}
