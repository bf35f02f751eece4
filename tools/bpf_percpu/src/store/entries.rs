// SPDX-License-Identifier: GPL-2.0

//! Walks over the entries of a keyed store.

use std::vec;

use crate::store::other;
use crate::store::Result;
use crate::store::Store;
use crate::uapi;

/// An iterator over the entries of a keyed store and their owners: see [`Store::entries`].
#[derive(Debug)]
pub struct Entries {
    store: Store,
    batch: vec::IntoIter<uapi::Entry>,
    /// Where the next batch starts; `None` after the last one.
    cursor: Option<u32>,
}

impl Entries {
    pub(super) fn of(store: Store) -> Self {
        Self {
            store,
            batch: Vec::new().into_iter(),
            cursor: Some(0),
        }
    }
}

impl Iterator for Entries {
    type Item = Result<(u64, Store)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(uapi::Entry { owner, index, .. }) = self.batch.next() {
                let entry = self.store.entry_at(owner, index);
                return Some(entry.map(|entry| (owner, entry)));
            }
            let device = &self.store.opened.device;
            match device.entry_list(self.cursor.take()?) {
                Ok((batch, next)) => {
                    self.batch = batch.into_iter();
                    self.cursor = next;
                }
                Err(cause) => return Some(Err(other("entry list", cause))),
            }
        }
    }
}
