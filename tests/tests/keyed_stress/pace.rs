// SPDX-License-Identifier: GPL-2.0

//! A deleted entry is free only after a grace period of unknown length. So that a store does not
//! run out of free entries, threads that create entries wait while more than half are in use.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use bpf_percpu::store::Store;

/// Throttles the creation of entries in a store.
pub struct Pace<'a> {
    store: &'a Store,
    is_half_full: AtomicBool,
    most: AtomicU32,
    halts: AtomicU32,
}

impl<'a> Pace<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self {
            store,
            is_half_full: AtomicBool::new(false),
            most: AtomicU32::new(0),
            halts: AtomicU32::new(0),
        }
    }

    /// Updates the state of the store. One thread calls this in a loop.
    pub fn look(&self) {
        let info = self.store.keyed_info().expect("a keyed store");
        self.most.fetch_max(info.waiting, Relaxed);
        let is_half_full = info.used + info.waiting > info.entries / 2;
        if is_half_full && !self.is_half_full.swap(is_half_full, Relaxed) {
            self.halts.fetch_add(1, Relaxed);
        }
        self.is_half_full.store(is_half_full, Relaxed);
        thread::sleep(Duration::from_millis(1));
    }

    /// Waits, if necessary, before the creation of an entry.
    pub fn wait(&self) {
        while self.is_half_full.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl fmt::Debug for Pace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (most, halts) = (self.most.load(Relaxed), self.halts.load(Relaxed));
        let entries = self.store.entry_count().expect("a keyed store");
        write!(
            f,
            "at most {most} of {entries} entries waiting, {halts} halts"
        )
    }
}
