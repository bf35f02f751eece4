// SPDX-License-Identifier: GPL-2.0

//! Keyed stores: entries of per-CPU memory, one for each task, cgroup or number that has one.
//!
//! All memory is allocated with the store. An entry is free; or linked into the chain of the bucket that
//! its key hashes to; or dead: unlinked, but perhaps still in use:
//!
//! ```text
//!   free --take()--> linked --delete(), owner ends, store ends--> dead --grace periods--> free
//! ```
//!
//! Lookups run in RCU sections and take no lock. A chain is changed with its bucket's lock held. It is a
//! resilient lock: programs may interrupt each other anywhere, even in an NMI, and an operation that
//! cannot get the lock fails.
//!
//! The end of an owner must not fail. So one compare-and-exchange of the entry's state takes the entry from
//! its owner, and needs no lock. If the lock is refused, the entry stays in its chain as an orphan, with a
//! key that is never looked up, until the worker gets the lock and unlinks it.
//!
//! Lock order: bucket locks are innermost, and each operation takes one. A program that interrupts an
//! operation may take another lock; the resilient lock detects a deadlock.
//!
//! [`kernel/bpf/bpf_local_storage.c`](srctree/kernel/bpf/bpf_local_storage.c) solves the same problem:
//! see `bpf_selem_unlink_nofail()`.

mod bucket;
mod entry;
#[cfg(CONFIG_KUNIT = "y")]
mod fixtures;
mod free_list;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;
mod owner;
mod reclaim;
mod watch;

pub(super) use entry::Entry;
pub(super) use watch::{
    init as init_watch,
    start as start_watch,
    stop as stop_watch,
    watch, //
};

pub(crate) use owner::{
    CgroupOwner,
    KeyKind,
    Owner,
    TaskOwner, //
};

use super::{
    Storage,
    Store, //
};
use crate::{
    bindings::{
        bpf_percpu_helper_cond_resched,
        bpf_percpu_helper_synchronize_rcu_tasks_trace, //
    },
    percpu::{
        footprint,
        PerCpuArea,
        PerCpuMem,
        PossibleCpu,
        MAX_SIZE, //
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
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    container_of,
    prelude::*,
    sync::{
        aref::ARef,
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
use reclaim::Reclaim;

/// The parameters of a keyed store.
#[derive(Clone, Copy)]
pub(crate) struct KeyedLayout {
    /// The kind of the owners.
    pub(crate) kind: KeyKind,
    /// Bytes per CPU of each entry.
    pub(crate) size: u32,
    /// The number of entries.
    pub(crate) entries: u32,
}

impl KeyedLayout {
    /// Bytes per CPU of all entries; `None` if that overflows.
    pub(super) fn footprint(&self) -> Option<u32> {
        footprint(self.size).checked_mul(self.entries)
    }

    /// The number of entries that one allocation of the per-CPU allocator holds.
    fn entries_per_chunk(&self) -> u32 {
        (MAX_SIZE / footprint(self.size).max(1)).max(1)
    }
}

/// A snapshot of a keyed store's counters.
pub(crate) struct KeyedInfo {
    /// The kind of the owners.
    pub(crate) kind: KeyKind,
    /// The number of entries, free or not.
    pub(crate) entries: u32,
    /// Entries that have an owner.
    pub(crate) used: u32,
    /// Entries that had an owner and are not free yet.
    pub(crate) waiting: u32,
    /// Creations that found no free entry.
    pub(crate) full: u64,
    /// Creations and deletions that could not get the lock, or lost every race for the free list.
    pub(crate) locked: u64,
}

/// Why an entry was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeleteError {
    /// There is no such entry.
    NotFound,
    /// The bucket's lock was refused.
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

/// The entries of a keyed store.
///
/// # Invariants
///
/// - There are `2^(64 - shift)` buckets, and at least two.
/// - Every entry is on `free`, or counted by `out`.
/// - Each element of a chain is one of `entries`, and is not reused for a grace period after it was
///   unlinked.
#[repr(C)]
pub(crate) struct Keyed {
    // Read by lookups.
    buckets: KVVec<Bucket>,
    /// Hashes keys to buckets. Odd, and random, so that nobody can choose keys that collide.
    multiplier: u64,
    shift: u32,
    kind: KeyKind,
    entries: KVVec<Entry>,
    free: FreeList,
    /// The initial bytes of each CPU's copy of each entry.
    initial: KVVec<u8>,
    // ORDERING: Relaxed is enough for all counters but `out`: they are for `info()` only.
    /// Entries that have an owner.
    used: Atomic<u32>,
    /// Entries that are not free.
    out: Atomic<u32>,
    /// Entries from this index on were never taken.
    high_water_mark: Atomic<u32>,
    full: Atomic<u64>,
    locked: Atomic<u64>,
    reclaim: Reclaim,
    watched: watch::Link,
    /// The store that contains this value, once it must be freed after its last entry.
    closing: Atomic<*mut Store>,
    /// The memory of the entries.
    chunks: KVVec<PerCpuMem>,
}

// SAFETY: The fields are memory, atomics and locks, which are not tied to a thread.
unsafe impl Send for Keyed {}
// SAFETY: Fields that change are atomic, or written with a bucket's lock held.
unsafe impl Sync for Keyed {}

/// Lets other tasks run, every few thousand iterations of a loop.
///
/// Context: process, may sleep.
fn resched_in_loop(iteration: usize) {
    if iteration % 4096 == 4095 {
        // SAFETY: Sleeping is allowed here.
        unsafe { bpf_percpu_helper_cond_resched() };
    }
}

impl Keyed {
    /// Free entries, each CPU's copy of which begins with `image`; the rest is zero.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an image larger than the size, and for no entries; `ENOMEM`.
    ///
    /// Context: process, may sleep.
    pub(super) fn new(layout: KeyedLayout, image: &[u8]) -> Result<KBox<Self>> {
        let gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
        let mut initial = KVVec::from_elem(0, layout.size as usize, gfp)?;
        initial
            .get_mut(..image.len())
            .ok_or(EINVAL)?
            .copy_from_slice(image);

        let uninit = KBox::<Self>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let keyed = NonNull::from(&*uninit).cast::<Self>();
        let mut chunks = KVVec::new();
        let mut entries = KVVec::with_capacity(layout.entries as usize, gfp)?;
        while (entries.len() as u32) < layout.entries {
            let left = layout.entries.wrapping_sub(entries.len() as u32);
            let chunk = Self::add_chunk(layout, left, keyed, &mut entries)?;
            chunks.push(chunk, gfp)?;
        }

        // As many buckets as entries, so that most chains have one entry at most.
        let len = layout.entries.max(2).checked_next_power_of_two();
        let len = len.ok_or(EINVAL)?;
        let mut buckets = KVVec::with_capacity(len as usize, gfp)?;
        for _ in 0..len {
            buckets.push(Bucket::new(), gfp)?;
        }
        // INVARIANT: `len` is a power of two, and `shift` is computed from it. All entries are free.
        let keyed = KBox::write(
            uninit,
            Self {
                kind: layout.kind,
                // SAFETY: Has no preconditions.
                multiplier: unsafe { bindings::get_random_u64() } | 1,
                shift: u64::BITS.wrapping_sub(len.trailing_zeros()),
                buckets,
                free: FreeList::of_all(&entries),
                entries,
                initial,
                used: Atomic::new(0),
                out: Atomic::new(0),
                high_water_mark: Atomic::new(0),
                full: Atomic::new(0),
                locked: Atomic::new(0),
                reclaim: Reclaim::new(),
                watched: watch::Link::new(),
                closing: Atomic::new(ptr::null_mut()),
                chunks,
            },
        );
        keyed.reclaim.init(clean_up);
        if !image.is_empty() {
            for entry in &keyed.entries {
                keyed.reset(entry);
            }
        }
        Ok(keyed)
    }

    /// Adds as many of `left` entries as fit into an allocation, and returns the allocation.
    fn add_chunk(
        layout: KeyedLayout,
        left: u32,
        keyed: NonNull<Self>,
        entries: &mut KVVec<Entry>,
    ) -> Result<PerCpuMem> {
        let each = footprint(layout.size);
        let count = layout.entries_per_chunk().min(left);
        let bytes = each.checked_mul(count).ok_or(EINVAL)?;
        let gfp = bindings::GFP_KERNEL_ACCOUNT | bindings::__GFP_NOWARN;
        let chunk = PerCpuMem::new_zeroed(bytes, gfp)?;
        for i in 0..count {
            // SAFETY: Chunk and entries become part of the same `Keyed`.
            let area = unsafe { chunk.part(each.wrapping_mul(i), layout.size) };
            // SAFETY: The entry becomes part of `keyed`, which gets the chunk too.
            let entry = unsafe { Entry::new(area.ok_or(EINVAL)?, keyed) };
            entries.push(entry, GFP_KERNEL_ACCOUNT)?;
        }
        // SAFETY: Sleeping is allowed here.
        unsafe { bpf_percpu_helper_cond_resched() };
        Ok(chunk)
    }

    /// An area of no bytes, for the store itself. Its address is valid nevertheless: kernels before
    /// 7.3 let a program that asks for no bytes read one byte.
    ///
    /// # Safety
    ///
    /// This value is kept as long as the area is used.
    pub(super) unsafe fn no_bytes(&self) -> Option<PerCpuArea> {
        // SAFETY: The chunk is part of this value.
        unsafe { self.chunks.first()?.part(0, 0) }
    }

    /// The kind of the owners.
    #[inline]
    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Bytes per CPU of each entry.
    pub(crate) fn entry_size(&self) -> u32 {
        // CAST: The length is `KeyedLayout::size`.
        self.initial.len() as u32
    }

    /// The counters, each read by itself while others change.
    pub(crate) fn info(&self) -> KeyedInfo {
        let used = self.used.load(Relaxed);
        // ORDERING: Pairs with the Release in `clean_up_batch()`: entries that are no longer waiting are
        // on the free list.
        let out = self.out.load(Acquire);
        KeyedInfo {
            kind: self.kind,
            // CAST: The length is `KeyedLayout::entries`.
            entries: self.entries.len() as u32,
            used,
            waiting: out.saturating_sub(used),
            full: self.full.load(Relaxed),
            locked: self.locked.load(Relaxed),
        }
    }

    #[inline]
    fn bucket(&self, key: u64) -> &Bucket {
        let at = key.wrapping_mul(self.multiplier).wrapping_shr(self.shift);
        // SAFETY: `at` has `64 - shift` bits, and by the type invariant there is a bucket for each of
        // their values.
        unsafe { self.buckets.get_unchecked(at as usize) }
    }

    /// Looks up the entry with `key`, without taking a reference.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`.
    #[inline]
    pub(crate) unsafe fn find<'a>(&self, key: u64) -> Option<&'a Storage> {
        // SAFETY: The caller's RCU section lasts for `'a`.
        unsafe { self.bucket(key).find(key) }.map(Entry::storage)
    }

    /// The entry of `owner`, which gets a free one if it has none.
    ///
    /// `None` if no entry is free, if the owner is about to end, or if the lock is refused.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`. `store` is the store that this is part of.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn take<'a>(
        &self,
        store: &Storage,
        owner: impl Owner,
    ) -> Option<&'a Storage> {
        let (key, bucket) = (owner.key(), self.bucket(owner.key()));
        // The caller's RCU section may consist of disabled preemption only. The kernel functions that
        // `owner` calls check for `rcu_read_lock()`.
        let _rcu = rcu::read_lock();
        let mut nesting = Nesting::new();
        let Ok(mut chain) = bucket.lock(&mut nesting) else {
            self.locked.add(1, Relaxed);
            return None;
        };
        // SAFETY: The caller's RCU section lasts for `'a`.
        if let Some(entry) = unsafe { bucket.find(key) } {
            return Some(entry.storage());
        }
        // An owner that is alive now does not end before this RCU section does, so its end finds the entry.
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
        // SAFETY: An entry that is linked is not reused in this RCU section.
        Some(unsafe { NonNull::from(entry.storage()).as_ref() })
    }

    /// Makes walks include the entry at `index`.
    fn raise_high_water_mark(&self, index: u32) {
        // ORDERING: Relaxed is enough: a walk that must include the entry begins after `take()` has
        // returned, and whatever makes it begin later orders the two.
        let mut end = self.high_water_mark.load(Relaxed);
        // Bounded, because others only raise it.
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

    /// Takes the entry with `key` from its owner.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section.
    pub(crate) unsafe fn delete(&self, key: u64) -> Result<(), DeleteError> {
        // SAFETY: The caller is in an RCU section.
        unsafe { self.unlink(key, |_| true) }.inspect_err(|error| self.count(*error))
    }

    /// Takes the entry that [`find_owner`](Self::find_owner) finds from its owner.
    ///
    /// Context: any.
    pub(crate) fn delete_owner(&self, owner: u64, index: Option<u32>) -> Result<(), DeleteError> {
        let found = self.find_owner(owner, index).ok_or(DeleteError::NotFound)?;
        let _rcu = rcu::read_lock();
        // The owner may have a new entry by now, which must stay.
        let is_it = |entry: &Entry| ptr::eq(entry.storage(), &*found);
        // SAFETY: In the RCU section above.
        unsafe { self.unlink(found.key(), is_it) }.inspect_err(|error| self.count(*error))
    }

    fn count(&self, error: DeleteError) {
        if let DeleteError::Lock(_) = error {
            self.locked.add(1, Relaxed);
        }
    }

    /// Takes the entry with `key` from its owner and out of its chain, if `is_it` returns true.
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
        // SAFETY: The caller is in an RCU section.
        if unsafe { bucket.find(key) }.is_none() {
            return Err(DeleteError::NotFound);
        }
        let mut nesting = Nesting::new();
        let mut chain = bucket.lock(&mut nesting).map_err(DeleteError::Lock)?;
        // SAFETY: The caller is in an RCU section.
        let entry = unsafe { bucket.find(key) }
            .filter(|entry| is_it(entry) && entry.claim())
            .ok_or(DeleteError::NotFound)?;
        chain.remove(entry);
        drop(chain);
        self.used.fetch_sub(1, Relaxed);
        // SAFETY: `claim()` succeeded, so this function owns the chain's reference.
        drop(unsafe { entry.chain_ref() });
        Ok(())
    }

    /// Called when the owner with `key` ends. Even if the lock is refused, lookups no longer find its
    /// entry.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section. No entry is taken for the owner any more.
    unsafe fn end(&self, key: u64) {
        // SAFETY: The caller is in an RCU section.
        let Err(DeleteError::Lock(_)) = (unsafe { self.unlink(key, |_| true) }) else {
            return;
        };
        // SAFETY: The caller is in an RCU section.
        if let Some(entry) = unsafe { self.bucket(key).find(key) } {
            self.orphan(entry);
        }
    }

    /// Takes `entry` from its owner, and leaves it in its chain until the worker unlinks it.
    ///
    /// Context: any.
    fn orphan(&self, entry: &Entry) {
        if entry.claim_in_chain() {
            self.used.fetch_sub(1, Relaxed);
            self.reclaim.push(entry);
        }
    }

    /// The entry at `index`, and its owner's number, if it has an owner.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`.
    pub(crate) unsafe fn at<'a>(&self, index: u32) -> Option<(&'a Storage, u64)> {
        let entry = self.entries.get(index as usize)?;
        let owner = entry.owner_if_linked()?;
        // SAFETY: An entry that is linked is not reused in the caller's RCU section.
        Some((unsafe { NonNull::from(entry.storage()).as_ref() }, owner))
    }

    /// The next entry of a walk that has an owner: its index, the entry, and its owner's number. A walk
    /// begins with a `cursor` of 0, which this moves past the entry.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`.
    pub(crate) unsafe fn next<'a>(&self, cursor: &mut u32) -> Option<(u32, &'a Storage, u64)> {
        while *cursor < self.high_water_mark.load(Relaxed) {
            let index = *cursor;
            *cursor = index.wrapping_add(1);
            // SAFETY: The caller's RCU section lasts for `'a`.
            if let Some((entry, owner)) = unsafe { self.at(index) } {
                return Some((index, entry, owner));
            }
        }
        None
    }

    /// A reference to the entry of the owner with this number: the one at `index` or, without an index,
    /// the first one.
    ///
    /// Context: any.
    pub(crate) fn find_owner(&self, owner: u64, index: Option<u32>) -> Option<ARef<Storage>> {
        let _rcu = rcu::read_lock();
        if let Some(index) = index {
            // SAFETY: In the RCU section above.
            let found = unsafe { self.at(index) }.filter(|(_, its)| *its == owner);
            return found.and_then(|(entry, _)| entry.try_get());
        }
        let mut cursor = 0;
        // SAFETY: In the RCU section above.
        while let Some((_, entry, its)) = unsafe { self.next(&mut cursor) } {
            if its == owner {
                return entry.try_get();
            }
        }
        None
    }

    /// Makes the worker free `store`, which contains this value, as soon as all entries are free. Called
    /// when lookups no longer find the store.
    ///
    /// Context: any but NMI.
    pub(super) fn close(&self, store: NonNull<Store>) {
        // The worker may free the store as soon as it runs: `quiesce()` waits for this section.
        let _rcu = rcu::read_lock();
        // ORDERING: Pairs with the Acquire in `clean_up()`, which sees the store as its last user left it.
        self.closing.store(store.as_ptr(), Release);
        self.reclaim.queue();
    }

    /// The work: frees the entries that were handed over. Returns the store if it is closing and can be
    /// freed now.
    ///
    /// Context: process, may sleep. One call at a time.
    fn clean_up(&self) -> Option<NonNull<Store>> {
        // ORDERING: Pairs with the Release in `close()`.
        let closing = NonNull::new(self.closing.load(Acquire));
        if closing.is_some() {
            self.unlink_all();
        }
        // Entries that are handed over later queue the work again. A loop here might never end.
        self.clean_up_batch();
        // If the work is queued again, its next run handles the store.
        // ORDERING: Relaxed is enough: entries are no longer taken, and only this work, which does not run
        // concurrently with itself, decreases `out`.
        closing.filter(|_| self.out.load(Relaxed) == 0 && self.quiesce())
    }

    /// Takes all entries from their owners, once lookups no longer find the store.
    fn unlink_all(&self) {
        for (count, entry) in self.entries.iter().enumerate() {
            resched_in_loop(count);
            if entry.claim() {
                self.used.fetch_sub(1, Relaxed);
                // SAFETY: `claim()` succeeded, so this function owns the chain's reference. The
                // entry stays in its chain, which nobody searches any more.
                drop(unsafe { entry.chain_ref() });
            }
        }
    }

    /// Unlinks the orphans that were handed over, and frees the entries.
    fn clean_up_batch(&self) {
        let mut unused = free_list::NONE;
        for (count, entry) in self.reclaim.take_all().enumerate() {
            resched_in_loop(count);
            match entry.orphan_home() {
                Some(home) => self.unlink_orphan(entry, home),
                None => {
                    // ORDERING: Relaxed is enough: the list is the worker's own. A late
                    // `FreeList::pop()` may read this link, but its exchange then fails.
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
            // ORDERING: Pairs with the Acquire in `info()`: the entry is on the free list before.
            self.out.fetch_sub(1, Release);
        }
    }

    /// Unlinks `entry`, an orphan, from the chain of the bucket that `home` selects.
    fn unlink_orphan(&self, entry: &Entry, home: u64) {
        let mut nesting = Nesting::new();
        loop {
            if let Ok(mut chain) = self.bucket(home).lock(&mut nesting) {
                chain.remove(entry);
                break;
            }
            // The holder of the lock is not interrupted by this thread, so it will release the lock.
            // SAFETY: Sleeping is allowed here.
            unsafe { bindings::msleep(1) };
        }
        entry.set_dead();
        // SAFETY: `claim_in_chain()` has succeeded for this entry, and `orphan()` has left the chain's
        // reference to this function.
        drop(unsafe { entry.chain_ref() });
    }

    /// Resets each CPU's copy to the initial bytes.
    ///
    /// Context: process, may sleep.
    fn reset(&self, entry: &Entry) {
        for cpu in PossibleCpu::all() {
            // Entry and initial bytes have the same length, so this cannot fail.
            let _ = entry.storage().memory().write_on(cpu, 0, &self.initial);
        }
        // SAFETY: Sleeping is allowed here.
        unsafe { bpf_percpu_helper_cond_resched() };
    }

    /// Ends the watch, and waits for the last users of this value: probes, and callers of
    /// [`Reclaim::push`] and `close()`. Returns whether none is left, which is so unless the work was
    /// queued again. Called when all entries are free and none can be taken.
    ///
    /// Context: process, may sleep.
    fn quiesce(&self) -> bool {
        watch::unwatch(self);
        // SAFETY: Sleeping is allowed here.
        unsafe { bindings::synchronize_rcu() };
        !self.reclaim.sync_and_test_pending()
    }

    fn index_of(&self, entry: &Entry) -> u32 {
        let bytes = (ptr::from_ref(entry) as usize).wrapping_sub(self.entries.as_ptr() as usize);
        // CAST: `KeyedLayout::entries` is an `u32`.
        (bytes / size_of::<Entry>()) as u32
    }
}

/// # Safety
///
/// Called with the work of the [`Reclaim`] of a [`Keyed`], of which one call runs at a time.
unsafe extern "C" fn clean_up(work: *mut bindings::work_struct) {
    // SAFETY: The work is part of a `Keyed`, which is not freed while the work is queued or runs.
    let keyed = unsafe {
        let work = Opaque::cast_from(work).cast_mut();
        &*container_of!(work, Keyed, reclaim.work)
    };
    if let Some(store) = keyed.clean_up() {
        // SAFETY: `Store::after_grace_periods()` has closed the store, which was released. Its entries
        // are free, and nobody touches `keyed` any more, this function included.
        unsafe { Store::free(store) };
    }
}
