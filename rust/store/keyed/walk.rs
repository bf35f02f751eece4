// SPDX-License-Identifier: GPL-2.0

//! Entries by their place, and by their owner's number: what walks and user space ask for.

use super::Keyed;
use crate::store::Storage;
use core::ptr::NonNull;
use kernel::sync::{
    aref::ARef,
    atomic::Relaxed,
    rcu, //
};

impl Keyed {
    /// The entry at `index` and its owner's number, if it has one.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`.
    pub(crate) unsafe fn at<'a>(&self, index: u32) -> Option<(&'a Storage, u64)> {
        let entry = self.entries.get(index as usize)?;
        let owner = entry.owner_if_linked()?;
        // SAFETY: An entry that was in its chain stays for the RCU section.
        Some((unsafe { NonNull::from(entry.storage()).as_ref() }, owner))
    }

    /// The next entry that has an owner, at `cursor` or after it, which is moved past it; with its
    /// index. Begins with 0.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// As for [`at`](Self::at).
    pub(crate) unsafe fn next<'a>(&self, cursor: &mut u32) -> Option<(u32, &'a Storage, u64)> {
        while *cursor < self.high_water_mark.load(Relaxed) {
            let index = *cursor;
            *cursor = index.wrapping_add(1);
            // SAFETY: By the function's contract.
            if let Some((entry, owner)) = unsafe { self.at(index) } {
                return Some((index, entry, owner));
            }
        }
        None
    }

    /// A reference to the entry of the owner with this number, at `index` or, without one, the first
    /// that there is.
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
}
