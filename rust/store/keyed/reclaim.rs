// SPDX-License-Identifier: GPL-2.0

//! What comes after the last use of an entry, and of a keyed store.
//!
//! Entries lose their last reference in any context, while others may still use what they found
//! before: see [`deferred_free`], which frees stores. Here an interrupt hands over to a
//! thread, which waits for both grace periods, once for all that it finds, and cleans up: that may
//! take its time, for many CPUs.
//!
//! C headers: [`include/linux/llist.h`](srctree/include/linux/llist.h),
//! [`include/linux/irq_work.h`](srctree/include/linux/irq_work.h),
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::{
    free_list,
    resched_in_loop,
    watch,
    Entry,
    Keyed, //
};
use crate::{
    bindings::{
        bpf_percpu_helper_init_irq_work,
        bpf_percpu_helper_init_work,
        bpf_percpu_helper_llist_add,
        bpf_percpu_helper_llist_del_all,
        bpf_percpu_helper_synchronize_rcu_tasks_trace,
        bpf_percpu_helper_work_pending, //
    },
    rqspinlock::Nesting,
    store::{
        deferred_free,
        Store, //
    },
};
use core::{
    iter,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu, //
    },
    types::Opaque, //
};

/// Where the threads are from, while there may be stores.
static WORKQUEUE: Atomic<*mut bindings::workqueue_struct> = Atomic::new(ptr::null_mut());

/// Threads for keyed stores, while it lives.
pub(in crate::store) struct Workqueue(());

impl Workqueue {
    /// # Safety
    ///
    /// Called once, before there are stores. The value is dropped after the last is freed.
    pub(in crate::store) unsafe fn new() -> Result<Self> {
        // SAFETY: The name is a string, without conversions.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"bpf_percpu".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND,
                0,
            )
        };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        WORKQUEUE.store(queue, Relaxed);
        Ok(Self(()))
    }

    /// Waits for what is queued.
    ///
    /// Context: process, may sleep.
    pub(in crate::store) fn flush() {
        // SAFETY: It is there as long as there may be stores.
        unsafe { bindings::__flush_workqueue(WORKQUEUE.load(Relaxed)) };
    }
}

impl Drop for Workqueue {
    fn drop(&mut self) {
        // SAFETY: Made by `new()`; nobody uses it any more, by its contract.
        unsafe { bindings::destroy_workqueue(WORKQUEUE.xchg(ptr::null_mut(), Relaxed)) };
    }
}

/// What waits to be cleaned up.
pub(super) struct Reclaim {
    dead: Opaque<bindings::llist_head>,
    kick: Opaque<bindings::irq_work>,
    work: Opaque<bindings::work_struct>,
    /// The store that all this is part of, once nobody can find it any more.
    closing: Atomic<*mut Store>,
}

impl Reclaim {
    pub(super) const fn new() -> Self {
        Self {
            dead: Opaque::zeroed(),
            kick: Opaque::uninit(),
            work: Opaque::uninit(),
            closing: Atomic::new(ptr::null_mut()),
        }
    }

    /// To be called where the value stays.
    pub(super) fn init(&self) {
        // SAFETY: Nobody uses them yet.
        unsafe {
            bpf_percpu_helper_init_irq_work(self.kick.get(), Some(in_interrupt));
            bpf_percpu_helper_init_work(self.work.get(), Some(in_thread));
        }
    }

    /// Hands over `entry`, which was claimed, or has lost its last reference.
    ///
    /// Context: any.
    pub(super) fn push(&self, entry: &Entry) {
        // What comes after the addition is over before the thread has waited for RCU.
        let _rcu = rcu::read_lock();
        // SAFETY: Both stay, and the entry is in no list. The work is initialized.
        unsafe {
            if bpf_percpu_helper_llist_add(entry.dead.get(), self.dead.get()) {
                bindings::irq_work_queue(self.kick.get());
            }
        }
    }

    /// Takes all that was handed over.
    fn take_all<'a>(&'a self) -> impl Iterator<Item = &'a Entry> {
        // SAFETY: The list is for this, and its entries stay with the store.
        let mut node = unsafe { bpf_percpu_helper_llist_del_all(self.dead.get()) };
        iter::from_fn(move || {
            let at = NonNull::new(node)?.as_ptr();
            // SAFETY: It is a node of an entry. The next one is read before this one can be handed
            // over again.
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

    fn queue(&self) {
        let (unbound, queue) = (
            bindings::wq_misc_consts_WORK_CPU_UNBOUND,
            WORKQUEUE.load(Relaxed),
        );
        // SAFETY: The queue is there as long as there may be stores; the work is initialized.
        unsafe { bindings::queue_work_on(unbound as c_int, queue, self.work.get()) };
    }
}

/// # Safety
///
/// Called with the irq_work of a [`Reclaim`].
unsafe extern "C" fn in_interrupt(work: *mut bindings::irq_work) {
    // SAFETY: By the function's contract.
    unsafe {
        let reclaim = container_of!(Opaque::cast_from(work).cast_mut(), Reclaim, kick);
        (*reclaim).queue();
    }
}

/// # Safety
///
/// Called with the work of the [`Reclaim`] of a [`Keyed`].
unsafe extern "C" fn in_thread(work: *mut bindings::work_struct) {
    // SAFETY: By the function's contract.
    unsafe {
        let reclaim = container_of!(Opaque::cast_from(work).cast_mut(), Reclaim, work);
        let keyed = &*container_of!(reclaim, Keyed, reclaim);
        if let Some(store) = keyed.clean_up() {
            deferred_free::free(store);
        }
    }
}

impl Keyed {
    /// Nobody finds `store`, which this is part of, any more: it is freed when its entries are.
    ///
    /// Context: any but NMI.
    pub(in crate::store) fn close(&self, store: NonNull<Store>) {
        // As in `Reclaim::push()`.
        let _rcu = rcu::read_lock();
        self.reclaim.closing.store(store.as_ptr(), Release);
        self.reclaim.queue();
    }

    /// Frees entries that nobody uses any more; returns the store when it is for the caller to free.
    ///
    /// Context: process, may sleep; not at the same time as another call.
    fn clean_up(&self) -> Option<NonNull<Store>> {
        let closing = NonNull::new(self.reclaim.closing.load(Acquire));
        if closing.is_some() {
            self.take_all_away();
        }
        // What comes meanwhile sends for this thread again. One that stayed for it might never end.
        self.clean_up_batch();
        // If this thread is wanted again, it will be the last time.
        closing.filter(|_| self.out.load(Acquire) == 0 && self.is_left())
    }

    /// Frees those that were handed over before.
    fn clean_up_batch(&self) {
        let mut unused = free_list::NONE;
        for (count, entry) in self.reclaim.take_all().enumerate() {
            resched_in_loop(count);
            match entry.orphan_home() {
                Some(home) => self.adopt(entry, home),
                None => {
                    entry.next_free.store(unused, Relaxed);
                    unused = self.index_of(entry);
                }
            }
        }
        if unused != free_list::NONE {
            // SAFETY: Sleeping is allowed here.
            unsafe {
                bpf_percpu_helper_synchronize_rcu_tasks_trace();
                bindings::synchronize_rcu();
            }
        }
        while let Some(entry) = self.entries.get(unused as usize) {
            let index = unused;
            unused = entry.next_free.load(Relaxed);
            self.reset(entry);
            entry.set_free();
            self.free.push(index, entry);
            // All that was done to it is done for who sees that it is not out any more.
            self.out.fetch_sub(1, Release);
        }
    }

    /// Takes `entry`, which its owner has left in the chain of `home`, out of it.
    fn adopt(&self, entry: &Entry, home: u64) {
        let mut nesting = Nesting::new();
        loop {
            if let Ok(mut chain) = self.bucket(home).lock(&mut nesting) {
                chain.remove(entry);
                break;
            }
            // Who holds it is not below this thread, and will leave.
            // SAFETY: Sleeping is allowed here.
            unsafe { bindings::msleep(1) };
        }
        entry.set_dead();
        // SAFETY: The reference is that of the chain. Who has claimed the entry has left it here.
        drop(unsafe { entry.chain_ref() });
    }

    /// Whether nobody is going to hand over anything any more, or has to look for it: entries are all
    /// free, and none will be taken.
    fn is_left(&self) -> bool {
        watch::unwatch(self);
        // SAFETY: Sleeping is allowed here, and the works are initialized.
        unsafe {
            // Who searches, or hands over, has done so, and has sent for this thread if need be.
            bindings::synchronize_rcu();
            bindings::irq_work_sync(self.reclaim.kick.get());
            !bpf_percpu_helper_work_pending(self.reclaim.work.get())
        }
    }
}
