// SPDX-License-Identifier: GPL-2.0

//! Stores with entries: per-CPU slots of each task, of each cgroup, or for each number.
//!
//! Everything is allocated with the store. An entry is free, or in the chain of a bucket, where its
//! key leads, or has left it and waits until nobody uses it any more:
//!
//! ```text
//!   free --take()--> linked --delete(), owner ends, store goes--> dead --grace periods--> free
//! ```
//!
//! Searches take no lock, and are in RCU sections. Chains change under the lock of their bucket, which
//! is a resilient one: programs may interrupt each other anywhere, in an NMI too, and what cannot have
//! the lock fails. That must not happen where an owner ends. There the state of the entry, which one
//! compare-and-exchange changes, decides who takes it: without the lock it stays in its chain, without
//! a key that anybody looks for, until [`reclaim`] has the lock.
//!
//! Lock order: buckets' locks are the innermost, and each operation takes one. A program that
//! interrupts one may take another: what comes of that, the lock finds out.
//!
//! Reference: [`kernel/bpf/bpf_local_storage.c`](srctree/kernel/bpf/bpf_local_storage.c), which
//! `bpf_selem_unlink_nofail()` is of.

mod bucket;
mod create;
mod entry;
mod free_list;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;
mod owner;
mod reclaim;
mod walk;
mod watch;

pub(super) use entry::Entry;
pub(super) use reclaim::Workqueue;
pub(super) use watch::{
    init as init_watch,
    start as start_watch,
    stop as stop_watch,
    watch, //
};

pub(crate) use create::KeyedLayout;
pub(crate) use owner::{
    CgroupOwner,
    KeyKind,
    Owner,
    TaskOwner, //
};

use super::Storage;
use crate::{
    bindings::bpf_percpu_helper_cond_resched,
    percpu::{
        PerCpuArea,
        PerCpuMem,
        PossibleCpu, //
    },
    rqspinlock::{
        LockError,
        Nesting, //
    }, //
};
use bucket::Bucket;
use core::ptr::{
    self,
    NonNull, //
};
use free_list::FreeList;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    },
};
use reclaim::Reclaim;

/// The entries of a keyed store.
///
/// # Invariants
///
/// - There are `2^(64 - shift)` buckets, and two at least.
/// - Every entry is on `free`, or counted by `out`.
/// - What is in a chain is one of `entries`, and stays for a grace period after it has left.
#[repr(C)]
pub(crate) struct Keyed {
    // What a search reads.
    buckets: KVVec<Bucket>,
    /// Leads keys to buckets. Odd, and random, so that nobody can choose keys that end up in one.
    multiplier: u64,
    shift: u32,
    kind: KeyKind,
    entries: KVVec<Entry>,
    free: FreeList,
    /// What each entry begins with, on every CPU.
    initial: KVVec<u8>,
    /// Entries that have an owner.
    used: Atomic<u32>,
    /// Entries that are not free.
    out: Atomic<u32>,
    /// Entries from here on were never taken.
    high_water_mark: Atomic<u32>,
    full: Atomic<u64>,
    locked: Atomic<u64>,
    reclaim: Reclaim,
    watched: watch::Link,
    /// Where the entries have their bytes.
    chunks: KVVec<PerCpuMem>,
}

// SAFETY: Threads share it as `&self` lets them.
unsafe impl Send for Keyed {}
// SAFETY: What changes is atomic, or under the locks of buckets.
unsafe impl Sync for Keyed {}

/// What is known of a keyed store, at the moment.
pub(crate) struct KeyedInfo {
    /// What entries belong to.
    pub(crate) kind: KeyKind,
    /// How many entries there are, free or not.
    pub(crate) entries: u32,
    /// Entries that have an owner.
    pub(crate) used: u32,
    /// Entries that had one, and are not free yet.
    pub(crate) waiting: u32,
    /// Creations that found no free entry.
    pub(crate) full: u64,
    /// Creations and deletions that a lock refused.
    pub(crate) locked: u64,
}

/// Lets others run, each few thousand times.
fn resched_in_loop(count: usize) {
    if count % 4096 == 4095 {
        // SAFETY: Sleeping is allowed where this is called.
        unsafe { bpf_percpu_helper_cond_resched() };
    }
}

/// Why an entry is not taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeleteError {
    /// There is none.
    NotFound,
    /// The lock of its bucket is not to be had.
    Lock(LockError),
}

impl From<DeleteError> for Error {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotFound => ENOENT,
            DeleteError::Lock(error) => error.into(),
        }
    }
}

impl Keyed {
    /// No bytes. All the same there is memory where they are: to kernels before 7.3 a program that
    /// asks for none may read one.
    ///
    /// # Safety
    ///
    /// This is kept as long as the value is used.
    pub(super) unsafe fn no_bytes(&self) -> Option<PerCpuArea> {
        // SAFETY: By the function's contract the chunk stays.
        unsafe { self.chunks.first()?.part(0, 0) }
    }

    /// What entries belong to.
    #[inline]
    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Bytes per CPU of each entry.
    pub(crate) fn entry_size(&self) -> u32 {
        // CAST: It was made of an `u32`.
        self.initial.len() as u32
    }

    /// What is known of it: each number by itself, while others change.
    pub(crate) fn info(&self) -> KeyedInfo {
        let used = self.used.load(Relaxed);
        KeyedInfo {
            kind: self.kind,
            // CAST: As many as `KeyedLayout` says.
            entries: self.entries.len() as u32,
            used,
            waiting: self.out.load(Relaxed).saturating_sub(used),
            full: self.full.load(Relaxed),
            locked: self.locked.load(Relaxed),
        }
    }

    #[inline]
    fn bucket(&self, key: u64) -> &Bucket {
        let at = key.wrapping_mul(self.multiplier).wrapping_shr(self.shift);
        // SAFETY: By the type invariant there are so many.
        unsafe { self.buckets.get_unchecked(at as usize) }
    }

    /// The entry with `key`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`.
    #[inline]
    pub(crate) unsafe fn find<'a>(&self, key: u64) -> Option<&'a Storage> {
        // SAFETY: By the function's contract, and the type invariant.
        unsafe { self.bucket(key).find(key) }.map(Entry::storage)
    }

    /// The entry of `owner`, which it takes if it has none.
    ///
    /// `None` when there is none free, the owner is about to end, or the lock is not to be had.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`. `store` is what this is part of.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn take<'a>(
        &self,
        store: &Storage,
        owner: impl Owner,
    ) -> Option<&'a Storage> {
        let (key, bucket) = (owner.key(), self.bucket(owner.key()));
        // Of the kind that the kernel asks owners' functions for.
        let _rcu = rcu::read_lock();
        let mut nesting = Nesting::new();
        let Ok(mut chain) = bucket.lock(&mut nesting) else {
            self.locked.add(1, Relaxed);
            return None;
        };
        // SAFETY: By the function's contract.
        if let Some(entry) = unsafe { bucket.find(key) } {
            return Some(entry.storage());
        }
        // An owner that lives now ends after this RCU section: it will find the entry.
        if !owner.is_alive() {
            return None;
        }
        let Ok(popped) = self.free.pop(&self.entries) else {
            self.locked.add(1, Relaxed);
            return None;
        };
        let Some((index, entry)) = popped else {
            self.full.add(1, Relaxed);
            return None;
        };
        self.out.add(1, Relaxed);
        self.used.add(1, Relaxed);
        self.raise_high_water_mark(index);
        entry.set_owner(store.id(), key, owner.number());
        chain.push(entry);
        // SAFETY: An entry of a chain stays for the RCU section.
        Some(unsafe { NonNull::from(entry.storage()).as_ref() })
    }

    /// Has walks come by `index`.
    fn raise_high_water_mark(&self, index: u32) {
        let mut end = self.high_water_mark.load(Relaxed);
        // Others only raise it.
        while end <= index {
            match self
                .high_water_mark
                .cmpxchg(end, index.wrapping_add(1), Relaxed)
            {
                Ok(_) => break,
                Err(now) => end = now,
            }
        }
    }

    /// Takes the entry with `key` away from its owner.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section.
    pub(crate) unsafe fn delete(&self, key: u64) -> Result<(), DeleteError> {
        // SAFETY: By the function's contract.
        unsafe { self.unlink(key, |_| true) }.inspect_err(|error| self.count(*error))
    }

    /// As [`delete`](Self::delete), for the entry that [`find_owner`](Self::find_owner) finds.
    ///
    /// Context: any.
    pub(crate) fn delete_owner(&self, owner: u64, index: Option<u32>) -> Result<(), DeleteError> {
        let found = self.find_owner(owner, index).ok_or(DeleteError::NotFound)?;
        let _rcu = rcu::read_lock();
        // Meanwhile its owner may have got another one.
        let is_it = |entry: &Entry| ptr::eq(entry.storage(), &*found);
        // SAFETY: In the RCU section above.
        unsafe { self.unlink(found.key(), is_it) }.inspect_err(|error| self.count(*error))
    }

    fn count(&self, error: DeleteError) {
        if let DeleteError::Lock(_) = error {
            self.locked.add(1, Relaxed);
        }
    }

    /// Takes the entry with `key` away from its owner, if `is_it`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section.
    unsafe fn unlink(
        &self,
        key: u64,
        is_it: impl FnOnce(&Entry) -> bool,
    ) -> Result<(), DeleteError> {
        let bucket = self.bucket(key);
        // SAFETY: By the function's contract.
        if unsafe { bucket.find(key) }.is_none() {
            return Err(DeleteError::NotFound);
        }
        let mut nesting = Nesting::new();
        let mut chain = bucket.lock(&mut nesting).map_err(DeleteError::Lock)?;
        // SAFETY: By the function's contract.
        let entry = unsafe { bucket.find(key) }
            .filter(|entry| is_it(entry) && entry.claim())
            .ok_or(DeleteError::NotFound)?;
        chain.remove(entry);
        drop(chain);
        self.used.fetch_sub(1, Relaxed);
        // SAFETY: The reference is that of the chain, for who has claimed the entry.
        drop(unsafe { entry.chain_ref() });
        Ok(())
    }

    /// The owner with `key` ends: whatever happens, its entry will not be found again.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section. The key is of an owner, and no entry is taken for it any more.
    unsafe fn end(&self, key: u64) {
        // SAFETY: By the function's contract.
        let Err(DeleteError::Lock(_)) = (unsafe { self.unlink(key, |_| true) }) else {
            return;
        };
        // SAFETY: By the function's contract.
        if let Some(entry) = unsafe { self.bucket(key).find(key) } {
            self.orphan(entry);
        }
    }

    /// Takes `entry` away from its owner, and leaves it in its chain.
    ///
    /// Context: any.
    fn orphan(&self, entry: &Entry) {
        if entry.claim_in_chain() {
            self.used.fetch_sub(1, Relaxed);
            self.reclaim.push(entry);
        }
    }

    /// Takes all entries from their owners, when nobody can look for them any more.
    fn take_all_away(&self) {
        for (count, entry) in self.entries.iter().enumerate() {
            resched_in_loop(count);
            if entry.claim() {
                self.used.fetch_sub(1, Relaxed);
                // SAFETY: The reference is that of the chain, for who has claimed the entry.
                drop(unsafe { entry.chain_ref() });
            }
        }
    }

    fn index_of(&self, entry: &Entry) -> u32 {
        let bytes = (ptr::from_ref(entry) as usize).wrapping_sub(self.entries.as_ptr() as usize);
        // CAST: There are not more than `u32::MAX`.
        (bytes / size_of::<Entry>()) as u32
    }

    /// Makes each CPU's copy what it was at first.
    ///
    /// Context: process, may sleep.
    fn reset(&self, entry: &Entry) {
        for cpu in PossibleCpu::all() {
            // They are of one length.
            let _ = entry.storage().memory().write_on(cpu, 0, &self.initial);
        }
        // SAFETY: Sleeping is allowed here.
        unsafe { bpf_percpu_helper_cond_resched() };
    }
}
