// SPDX-License-Identifier: GPL-2.0

//! Keyed stores: entries that BPF programs take for owners, each with bytes for every CPU.

use std::io;
use std::vec;

use serde::Serialize;

use crate::cpus;
use crate::store::no_such_cpu;
use crate::store::opened::Opened;
use crate::store::other;
use crate::store::AnyStore;
use crate::store::Error;
use crate::store::Info;
use crate::store::KeyKind;
use crate::store::Result;
use crate::uapi;

/// What is known of a keyed store, beside its [`Info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeyedInfo {
    /// What its entries belong to.
    #[serde(rename = "key")]
    pub kind: KeyKind,
    /// How many it has.
    pub entries: u32,
    /// How many of them have an owner.
    pub used: u32,
    /// How many had one, and are not free yet.
    pub waiting: u32,
    /// Creations that found no free entry.
    pub full: u64,
    /// Creations and deletions that a lock refused.
    pub locked: u64,
}

/// An entry, of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The thread id of a task, the id of a cgroup, or the number.
    pub owner: u64,
    /// Where it is, if that is known: what is found elsewhere is another.
    pub index: Option<u32>,
}

impl Entry {
    /// The one that this owner has, wherever it is.
    pub fn of(owner: u64) -> Self {
        Self { owner, index: None }
    }

    fn raw(self) -> uapi::Entry {
        uapi::Entry {
            owner: self.owner,
            index: self.index.unwrap_or(uapi::ANY_INDEX),
            pad: 0,
        }
    }
}

/// An open keyed store. It lives at least as long as this does.
#[derive(Debug)]
pub struct Keyed {
    opened: Opened,
    kind: KeyKind,
    entries: u32,
}

impl Keyed {
    /// Opens the store that has this name, which is keyed.
    pub fn open(name: &str) -> Result<Self> {
        AnyStore::open(name)?.keyed()
    }

    /// Opens the store with this id, which is keyed.
    pub fn open_id(id: u32) -> Result<Self> {
        AnyStore::open_id(id)?.keyed()
    }

    pub(super) fn of(opened: Opened) -> Result<Self> {
        let KeyedInfo { kind, entries, .. } = keyed_info(&opened)?;
        Ok(Self::new(opened, kind, entries))
    }

    pub(super) fn new(opened: Opened, kind: KeyKind, entries: u32) -> Self {
        Self {
            opened,
            kind,
            entries,
        }
    }

    pub(super) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The name that it was created with.
    pub fn name(&self) -> &str {
        &self.opened.name
    }

    /// Its number: what BPF programs know it by.
    pub fn id(&self) -> u32 {
        self.opened.id
    }

    /// Bytes per CPU of each entry.
    pub fn size(&self) -> u32 {
        self.opened.size
    }

    /// What its entries belong to.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// How many entries it has, free ones included.
    pub fn entry_count(&self) -> u32 {
        self.entries
    }

    /// What is known of it now, as of any store.
    pub fn info(&self) -> Result<Info> {
        self.opened.info()
    }

    /// What is known of its entries now.
    pub fn keyed_info(&self) -> Result<KeyedInfo> {
        keyed_info(&self.opened)
    }

    /// Lets it outlive its users.
    pub fn pin(&self) -> Result<()> {
        self.opened.pin()
    }

    /// Drops the pin and gives the name free: it goes with its last user.
    pub fn unpin(&self) -> Result<()> {
        self.opened.unpin()
    }

    /// The entries that have owners, in no order. Each that is there all the time comes once.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            store: self,
            batch: Vec::new().into_iter(),
            cursor: Some(0),
        }
    }

    /// Reads bytes of one CPU's copy of an entry.
    pub fn read(&self, entry: Entry, cpu: u32, off: u32, bytes: &mut [u8]) -> Result<()> {
        let len = bytes.len();
        self.opened
            .device
            .entry_read(entry.raw(), cpu, off, bytes)
            .map_err(|cause| self.io_error("entry read", entry, cause, cpu, off, len))
    }

    /// Reads `len` bytes of the copy of every possible CPU, in the order of the CPUs: one call.
    pub fn read_all(&self, entry: Entry, off: u32, len: u32) -> Result<Vec<(u32, Vec<u8>)>> {
        self.opened.check_range(off, len as usize)?;
        let cpus = cpus::possible()?;
        if len == 0 {
            return Ok(cpus.into_iter().map(|cpu| (cpu, Vec::new())).collect());
        }
        // SAFETY: These are the possible CPUs.
        let bytes = unsafe {
            self.opened
                .device
                .entry_read_all(entry.raw(), off, len as usize, cpus.len())
        };
        let bytes = bytes.map_err(|cause| {
            self.io_error(
                "entry read",
                entry,
                cause,
                uapi::ALL_CPUS,
                off,
                len as usize,
            )
        })?;
        let copies = bytes.chunks_exact(len as usize).map(<[u8]>::to_vec);
        Ok(cpus.into_iter().zip(copies).collect())
    }

    /// Writes bytes of one CPU's copy of an entry. What BPF programs add to them meanwhile may be
    /// lost.
    pub fn write(&self, entry: Entry, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        // To the kernel the number stands for all CPUs.
        if cpu == uapi::ALL_CPUS {
            return Err(no_such_cpu(cpu));
        }
        self.write_to(entry, cpu, off, bytes)
    }

    /// Writes the same bytes to the copy of every possible CPU.
    pub fn write_all(&self, entry: Entry, off: u32, bytes: &[u8]) -> Result<()> {
        self.write_to(entry, uapi::ALL_CPUS, off, bytes)
    }

    fn write_to(&self, entry: Entry, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        self.opened
            .device
            .entry_write(entry.raw(), cpu, off, bytes)
            .map_err(|cause| self.io_error("entry write", entry, cause, cpu, off, bytes.len()))
    }

    /// Takes an entry from its owner. It is free again when no BPF program can use it any more.
    pub fn delete(&self, entry: Entry) -> Result<()> {
        let deleted = self.opened.device.entry_delete(entry.raw());
        deleted.map_err(|cause| match cause.raw_os_error() {
            Some(libc::EDEADLK | libc::ETIMEDOUT) => Error::Locked {
                name: self.name().to_string(),
                kind: self.kind,
                owner: entry.owner,
                cause,
            },
            Some(libc::ENOENT) => self.no_entry(entry),
            _ => other("entry delete", cause),
        })
    }

    /// The `u64` at `off` of every possible CPU, in the order of the CPUs.
    pub fn read_u64(&self, entry: Entry, off: u32) -> Result<Vec<(u32, u64)>> {
        self.words(entry, off, u64::from_ne_bytes)
    }

    /// The `u32` at `off` of every possible CPU, in the order of the CPUs.
    pub fn read_u32(&self, entry: Entry, off: u32) -> Result<Vec<(u32, u32)>> {
        self.words(entry, off, u32::from_ne_bytes)
    }

    /// The sum of the `u64` at `off` over all possible CPUs, modulo 2^64.
    pub fn sum_u64(&self, entry: Entry, off: u32) -> Result<u64> {
        let words = self.read_u64(entry, off)?.into_iter();
        Ok(words.fold(0, |sum, (_, word)| sum.wrapping_add(word)))
    }

    /// The sum of the `u32` at `off` over all possible CPUs, modulo 2^32.
    pub fn sum_u32(&self, entry: Entry, off: u32) -> Result<u32> {
        let words = self.read_u32(entry, off)?.into_iter();
        Ok(words.fold(0, |sum, (_, word)| sum.wrapping_add(word)))
    }

    fn words<T, const N: usize>(
        &self,
        entry: Entry,
        off: u32,
        of_bytes: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<(u32, T)>> {
        self.opened.check_word(off, N)?;
        let copies = self.read_all(entry, off, N as u32)?.into_iter();
        let word = |(cpu, copy): (u32, Vec<u8>)| {
            let mut bytes = [0; N];
            bytes.copy_from_slice(&copy);
            (cpu, of_bytes(bytes))
        };
        Ok(copies.map(word).collect())
    }

    /// Tells what is wrong with an offset of such a word, without an entry.
    pub fn check_word(&self, off: u32, width: usize) -> Result<()> {
        self.opened.check_word(off, width)
    }

    /// The error of a range that is not in an entry.
    pub fn past_end(&self, off: u32, len: usize) -> Error {
        self.opened.past_end(off, len)
    }

    fn no_entry(&self, entry: Entry) -> Error {
        Error::NoEntry {
            name: self.name().to_string(),
            kind: self.kind,
            owner: entry.owner,
        }
    }

    fn io_error(
        &self,
        call: &'static str,
        entry: Entry,
        cause: io::Error,
        cpu: u32,
        off: u32,
        len: usize,
    ) -> Error {
        match cause.raw_os_error() {
            Some(libc::ENOENT) => self.no_entry(entry),
            _ => self.opened.io_error(call, cause, cpu, off, len),
        }
    }
}

fn keyed_info(opened: &Opened) -> Result<KeyedInfo> {
    let info = opened.device.keyed_info();
    let info = info.map_err(|cause| other("keyed info", cause))?;
    let kind = info.key_kind;
    Ok(KeyedInfo {
        kind: KeyKind::of_number(kind).ok_or_else(|| Error::UnknownKind {
            name: opened.name.clone(),
            kind,
        })?,
        entries: info.entries,
        used: info.used,
        waiting: info.waiting,
        full: info.full,
        locked: info.locked,
    })
}

/// The entries of a keyed store that have owners: see [`Keyed::entries`].
#[derive(Debug)]
pub struct Entries<'a> {
    store: &'a Keyed,
    batch: vec::IntoIter<uapi::Entry>,
    /// Where the next batch begins; none after the last.
    cursor: Option<u32>,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(uapi::Entry { owner, index, .. }) = self.batch.next() {
                let index = Some(index);
                return Some(Ok(Entry { owner, index }));
            }
            match self.store.opened.device.entry_list(self.cursor.take()?) {
                Ok((batch, next)) => {
                    self.batch = batch.into_iter();
                    self.cursor = (next != 0).then_some(next);
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
    fn entries_are_anywhere_or_at_an_index() {
        let raw = Entry::of(7).raw();
        assert_eq!((raw.owner, raw.index, raw.pad), (7, u32::MAX, 0));
        let index = Some(0);
        assert_eq!(Entry { owner: 7, index }.raw().index, 0);
    }
}
