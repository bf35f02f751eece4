// SPDX-License-Identifier: GPL-2.0

//! Keyed stores for tests.

use super::*;
use crate::{
    fixtures::sleep,
    store::fixtures::name, //
};
use core::ops::Deref;

/// A store whose entries only the test takes, and its entries.
pub(super) struct TestStore(pub(super) ARef<Store>, &'static Keyed);

impl Deref for TestStore {
    type Target = Keyed;

    fn deref(&self) -> &Keyed {
        self.1
    }
}

impl TestStore {
    pub(super) fn new(kind: KeyKind, size: u32, entries: u32, image: &[u8]) -> Result<Self> {
        let layout = KeyedLayout {
            kind,
            size,
            entries,
        };
        Self::named("kunit-keyed", layout, image)
    }

    pub(super) fn named(text: &str, layout: KeyedLayout, image: &[u8]) -> Result<Self> {
        let store = Store::create_keyed(name(text)?, layout, image, false)?;
        let keyed = NonNull::from(store.any_keyed().ok_or(EINVAL)?);
        // SAFETY: The entries are part of the store, which this value holds.
        Ok(Self(store, unsafe { keyed.as_ref() }))
    }

    pub(super) fn of_numbers(entries: u32) -> Result<Self> {
        Self::new(KeyKind::U64, 8, entries, &[])
    }

    /// The entry for `owner`, taken or found.
    pub(super) fn get(&self, owner: impl Owner) -> Option<ARef<Storage>> {
        let _rcu = rcu::read_lock();
        // SAFETY: In the RCU section above, and the entries are of this store.
        unsafe { self.take(&self.0, owner) }.and_then(Storage::try_get)
    }

    pub(super) fn has(&self, key: u64) -> bool {
        let _rcu = rcu::read_lock();
        // SAFETY: In the RCU section above.
        unsafe { self.find(key) }.is_some()
    }

    pub(super) fn remove(&self, key: u64) -> Result<(), DeleteError> {
        let _rcu = rcu::read_lock();
        // SAFETY: In the RCU section above.
        unsafe { self.delete(key) }
    }

    /// Ends the owner with `key`, as the probes do.
    pub(super) fn end_owner(&self, key: u64) {
        let _rcu = rcu::read_lock();
        // SAFETY: In the RCU section above; nobody else takes entries here.
        unsafe { self.end(key) };
    }

    /// Used and waiting entries.
    pub(super) fn now(&self) -> (u32, u32) {
        let info = self.info();
        (info.used, info.waiting)
    }

    /// Used entries, once no others wait.
    pub(super) fn settled(&self) -> u32 {
        while self.info().waiting != 0 {
            sleep();
        }
        self.info().used
    }

    /// Another key that hashes to the bucket of `key`.
    pub(super) fn neighbour(&self, key: u64) -> u64 {
        let bucket = self.bucket(key);
        let mut others = (key + 1..).filter(|other| ptr::eq(self.bucket(*other), bucket));
        others.next().unwrap_or(key)
    }
}

/// Fills each CPU's copy with `byte`.
pub(super) fn fill(entry: &Storage, byte: u8) -> Result {
    let size = entry.memory().size() as usize;
    let bytes = KVVec::from_elem(byte, size, GFP_KERNEL)?;
    for cpu in PossibleCpu::all() {
        entry.memory().write_on(cpu, 0, &bytes)?;
    }
    Ok(())
}

/// Whether each CPU's copy is `bytes`, followed by zeroes.
pub(super) fn is(entry: &Storage, bytes: &[u8]) -> Result<bool> {
    let size = entry.memory().size() as usize;
    let mut read = KVVec::from_elem(0xa5, size, GFP_KERNEL)?;
    for cpu in PossibleCpu::all() {
        entry.memory().read_on(cpu, 0, &mut read)?;
        let rest = read.strip_prefix(bytes);
        if !rest.is_some_and(|rest| rest.iter().all(|byte| *byte == 0)) {
            return Ok(false);
        }
    }
    Ok(true)
}
