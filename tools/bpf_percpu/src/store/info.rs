// SPDX-License-Identifier: GPL-2.0

//! Information about stores and their entries, from the kernel.

use std::vec;

use crate::store::device::Device;
use crate::store::other;
use crate::store::KeyKind;
use crate::store::Result;
use crate::store::Store;
use crate::uapi;

/// Information about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Info {
    /// Its id, 1 or higher.
    pub id: u32,
    /// The name that it was created with.
    pub name: String,
    /// Bytes per CPU; for a keyed store, those of each entry.
    pub size: u32,
    /// Whether it is pinned: it outlives its users.
    pub pinned: bool,
    /// Whether it was removed: its name is free for another store.
    pub removed: bool,
    /// The number of references: open files, the pin, and handles and kptrs of BPF programs.
    pub refs: u32,
    /// Whether it is keyed: it has entries.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub keyed: bool,
}

impl Info {
    pub(super) fn of(device: &Device) -> Result<Self> {
        let info = device.info().map_err(|cause| other("info", cause))?;
        Ok(Self::from(&info))
    }
}

impl From<&uapi::Info> for Info {
    fn from(info: &uapi::Info) -> Self {
        let end = info.name.iter().position(|byte| *byte == 0);
        let name = &info.name[..end.unwrap_or(info.name.len())];
        Self {
            id: info.id,
            name: String::from_utf8_lossy(name).into_owned(),
            size: info.size,
            pinned: info.flags & uapi::F_PINNED != 0,
            removed: info.flags & uapi::F_REMOVED != 0,
            refs: info.refs,
            keyed: info.flags & uapi::F_KEYED != 0,
        }
    }
}

/// Information about a keyed store, in addition to its [`Info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KeyedInfo {
    /// The kind of owner that its entries have.
    #[cfg_attr(feature = "serde", serde(rename = "key"))]
    pub kind: KeyKind,
    /// The number of entries.
    pub entries: u32,
    /// The number of entries that have an owner.
    pub used: u32,
    /// The number of entries that lost their owner and are not free yet.
    pub waiting: u32,
    /// The number of creations that found no free entry.
    pub full: u64,
    /// The number of creations and deletions that failed because a lock could not be taken.
    pub locked: u64,
}

impl KeyedInfo {
    /// Reads the information about the store that `device` refers to, whose name is `name`.
    pub(super) fn of(device: &Device, name: &str) -> Result<Self> {
        let info = device.keyed_info();
        let info = info.map_err(|cause| other("keyed info", cause))?;
        Ok(Self {
            kind: KeyKind::known(info.key_kind, name)?,
            entries: info.entries,
            used: info.used,
            waiting: info.waiting,
            full: info.full,
            locked: info.locked,
        })
    }
}

/// Returns the information about all stores, in the order of their ids.
pub fn list() -> Result<Vec<Info>> {
    let device = Device::open()?;
    let mut all = Vec::new();
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        let infos;
        (infos, cursor) = device.list(from).map_err(|cause| other("list", cause))?;
        all.extend(infos.iter().map(Info::from));
    }
    all.sort_by_key(|info| info.id);
    Ok(all)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_name() {
        let mut raw = uapi::Info {
            name: [b'x'; uapi::NAME_LEN],
            id: 7,
            size: 8,
            flags: uapi::F_REMOVED,
            refs: 1,
        };
        let info = Info::from(&raw);
        assert_eq!(
            (info.pinned, info.removed, info.keyed),
            (false, true, false)
        );
        assert_eq!(info.name.len(), 64);
        raw.name[3] = 0;
        raw.flags = uapi::F_PINNED | uapi::F_KEYED;
        let info = Info::from(&raw);
        assert_eq!((info.pinned, info.removed, info.keyed), (true, false, true));
        assert_eq!(info.name, "xxx");
    }
}
