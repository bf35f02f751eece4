// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores: create, open, read and write them, and give them to BPF programs.
//!
//! ```no_run
//! use bpf_percpu::store::Options;
//!
//! let store = Options::new("packet_counts", 16).create_or_open()?;
//! println!("{} packets", store.sum_u64(0)?);
//! # Ok::<(), bpf_percpu::store::Error>(())
//! ```
//!
//! A keyed store has entries, which BPF programs create for tasks, cgroups or numbers. An entry is
//! a [`Store`], too: plain stores and entries are read and written in the same way.
//!
//! ```no_run
//! use bpf_percpu::store::KeyKind;
//! use bpf_percpu::store::Options;
//!
//! let switches = Options::new("switches", 8).keyed(KeyKind::Task, 4096).create_or_open()?;
//! for entry in switches.entries()? {
//!     let (task, entry) = entry?;
//!     println!("task {task}: {} switches", entry.sum_u64(0)?);
//! }
//! println!("{} switches of task 1", switches.entry(1)?.sum_u64(0)?);
//! # Ok::<(), bpf_percpu::store::Error>(())
//! ```

mod declared;
mod device;
mod error;
mod info;
mod key_kind;
mod options;

use std::io;
use std::sync::Arc;

pub use declared::bind;
pub use device::PATH;
pub use error::Error;
pub use error::Key;
pub use error::Result;
pub use info::list;
pub use info::Entries;
pub use info::Info;
pub use info::KeyedInfo;
pub use key_kind::KeyKind;
pub use options::Options;

use crate::cpus;
use crate::uapi;
use device::Device;

/// An open store, or an entry of an open keyed store. The store lives at least as long as this
/// value.
///
/// A plain store and an entry have bytes for every CPU. A keyed store has entries instead:
/// reading or writing the keyed store itself fails with [`Error::Keyed`].
#[derive(Debug, Clone)]
pub struct Store {
    opened: Arc<Opened>,
    /// The entry, if this is an entry of a keyed store.
    entry: Option<uapi::Entry>,
}

/// An open file, and the store that it refers to.
#[derive(Debug)]
struct Opened {
    device: Device,
    name: String,
    id: u32,
    size: u32,
    keyed: Option<Keyed>,
}

/// What a keyed store is created with, in addition to name and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Keyed {
    kind: KeyKind,
    entries: u32,
}

/// The names of a request in errors: for a store, and for an entry.
type Call = [&'static str; 2];
const READ: Call = ["read", "entry read"];
const WRITE: Call = ["write", "entry write"];

impl Store {
    /// Opens the store that has this name.
    pub fn open(name: &str) -> Result<Self> {
        check_name(name)?;
        Self::attach(Key::Name(name.to_string()))
    }

    /// Opens the store with this id.
    pub fn open_id(id: u32) -> Result<Self> {
        Self::attach(Key::Id(id))
    }

    fn attach(key: Key) -> Result<Self> {
        let device = Device::open()?;
        let attached = match &key {
            Key::Name(name) => device.attach(name, 0),
            // No store has id 0. The kernel would return EINVAL, because the name is empty, too.
            Key::Id(0) => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            Key::Id(id) => device.attach("", *id),
        };
        attached.map_err(|cause| match cause.raw_os_error() {
            Some(libc::ENOENT) => Error::NotFound { key },
            _ => other("open", cause),
        })?;
        let info = Info::of(&device)?;
        let keyed = match info.keyed {
            true => {
                let KeyedInfo { kind, entries, .. } = KeyedInfo::of(&device, &info.name)?;
                Some(Keyed { kind, entries })
            }
            false => None,
        };
        Ok(Self::of(Opened {
            device,
            name: info.name,
            id: info.id,
            size: info.size,
            keyed,
        }))
    }

    fn of(opened: Opened) -> Self {
        let (opened, entry) = (Arc::new(opened), None);
        Self { opened, entry }
    }

    /// The name that the store was created with.
    pub fn name(&self) -> &str {
        &self.opened.name
    }

    /// The id of the store, which BPF programs look it up by.
    pub fn id(&self) -> u32 {
        self.opened.id
    }

    /// Bytes per CPU; for a keyed store, those of each entry.
    pub fn size(&self) -> u32 {
        self.opened.size
    }

    /// The kind of owner that the store's entries have, if it is keyed.
    pub fn kind(&self) -> Option<KeyKind> {
        self.opened.keyed.map(|keyed| keyed.kind)
    }

    /// The number of entries, including free ones, if the store is keyed.
    pub fn entry_count(&self) -> Option<u32> {
        self.opened.keyed.map(|keyed| keyed.entries)
    }

    /// Returns the current information about the store.
    pub fn info(&self) -> Result<Info> {
        Info::of(&self.opened.device)
    }

    /// Returns the current information about the entries of a keyed store.
    pub fn keyed_info(&self) -> Result<KeyedInfo> {
        self.keyed()?;
        KeyedInfo::of(&self.opened.device, self.name())
    }

    /// Pins the store, so that it outlives its users.
    pub fn pin(&self) -> Result<()> {
        let (name, id) = (self.name().to_string(), self.id());
        let pinned = self.opened.device.pin();
        pinned.map_err(|cause| match cause.raw_os_error() {
            Some(libc::EEXIST) => Error::NameTaken { name, id },
            _ => other("pin", cause),
        })
    }

    /// Drops the pin and frees the name. The store is freed when its last user is gone.
    pub fn unpin(&self) -> Result<()> {
        let (name, id) = (self.name().to_string(), self.id());
        let unpinned = self.opened.device.unpin();
        unpinned.map_err(|cause| match cause.raw_os_error() {
            Some(libc::ENOENT) => Error::Removed { name, id },
            _ => other("unpin", cause),
        })
    }

    /// Returns the entries of a keyed store with their owners, in no particular order. An entry
    /// that exists during the whole iteration is returned exactly once.
    pub fn entries(&self) -> Result<Entries> {
        self.keyed()?;
        Ok(Entries::of(self.clone()))
    }

    /// Returns the entry of `owner` in a keyed store. `owner` is the thread id of a task, the id of
    /// a cgroup, or a number. This does not check that the owner has an entry: if it has none,
    /// calls that use the entry fail with [`Error::NoEntry`].
    pub fn entry(&self, owner: u64) -> Result<Self> {
        self.entry_at(owner, uapi::ANY_INDEX)
    }

    /// Like [`entry`](Self::entry), but only the entry at `index`. If the owner's entry is deleted
    /// and it gets another one at a different index, this one no longer exists.
    pub fn entry_at(&self, owner: u64, index: u32) -> Result<Self> {
        self.keyed()?;
        let (opened, pad) = (Arc::clone(&self.opened), 0);
        let entry = Some(uapi::Entry { owner, index, pad });
        Ok(Self { opened, entry })
    }

    /// The owner, if this is an entry.
    pub fn owner(&self) -> Option<u64> {
        self.entry.map(|entry| entry.owner)
    }

    /// The index of the entry in its store, if this is an entry and the index is known.
    pub fn index(&self) -> Option<u32> {
        let index = self.entry.map(|entry| entry.index);
        index.filter(|index| *index != uapi::ANY_INDEX)
    }

    /// Deletes an entry: its owner no longer has it. It becomes free once no BPF program can use
    /// it.
    pub fn delete(&self) -> Result<()> {
        let keyed = self.keyed()?;
        let entry = self.entry.ok_or_else(|| self.has_entries())?;
        let deleted = self.opened.device.entry_delete(entry);
        deleted.map_err(|cause| match cause.raw_os_error() {
            Some(libc::EDEADLK | libc::ETIMEDOUT) => Error::Locked {
                name: self.name().to_string(),
                kind: keyed.kind,
                owner: entry.owner,
                cause,
            },
            Some(libc::ENOENT) => self.no_entry(keyed.kind, entry.owner),
            _ => other("entry delete", cause),
        })
    }

    /// Reads bytes of one CPU's copy.
    pub fn read(&self, cpu: u32, off: u32, bytes: &mut [u8]) -> Result<()> {
        self.check_bytes()?;
        let len = bytes.len();
        let read = self.opened.device.read(self.entry, cpu, off, bytes);
        read.map_err(|cause| self.io_error(READ, cause, cpu, off, len))
    }

    /// Writes bytes of one CPU's copy. Concurrent updates by BPF programs may be lost.
    pub fn write(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        // For the kernel, this value means all CPUs.
        if cpu == uapi::ALL_CPUS {
            return Err(no_such_cpu(cpu));
        }
        self.write_to(cpu, off, bytes)
    }

    /// Writes the same bytes to the copy of each possible CPU.
    pub fn write_all(&self, off: u32, bytes: &[u8]) -> Result<()> {
        self.write_to(uapi::ALL_CPUS, off, bytes)
    }

    fn write_to(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        self.check_bytes()?;
        let written = self.opened.device.write(self.entry, cpu, off, bytes);
        written.map_err(|cause| self.io_error(WRITE, cause, cpu, off, bytes.len()))
    }

    /// Reads `len` bytes at `off` of the copy of each possible CPU, in the order of the CPUs.
    pub fn read_all(&self, off: u32, len: u32) -> Result<Vec<(u32, Vec<u8>)>> {
        let len = len as usize;
        let (cpus, bytes) = self.copies(off, len)?;
        let mut copies = bytes.chunks_exact(len.max(1)).map(<[u8]>::to_vec);
        let copy = |cpu| (cpu, copies.next().unwrap_or_default());
        Ok(cpus.into_iter().map(copy).collect())
    }

    /// Reads the `u64` at `off` of each possible CPU, in the order of the CPUs.
    pub fn read_u64(&self, off: u32) -> Result<Vec<(u32, u64)>> {
        self.words(off, u64::from_ne_bytes)
    }

    /// Reads the `u32` at `off` of each possible CPU, in the order of the CPUs.
    pub fn read_u32(&self, off: u32) -> Result<Vec<(u32, u32)>> {
        self.words(off, u32::from_ne_bytes)
    }

    /// Reads the `u64` at `off` of each possible CPU, and returns their sum modulo 2^64.
    pub fn sum_u64(&self, off: u32) -> Result<u64> {
        let words = self.read_u64(off)?.into_iter();
        Ok(words.fold(0, |sum, (_, word)| sum.wrapping_add(word)))
    }

    /// Reads the `u32` at `off` of each possible CPU, and returns their sum modulo 2^32.
    pub fn sum_u32(&self, off: u32) -> Result<u32> {
        let words = self.read_u32(off)?.into_iter();
        Ok(words.fold(0, |sum, (_, word)| sum.wrapping_add(word)))
    }

    fn words<T, const N: usize>(&self, off: u32, word: fn([u8; N]) -> T) -> Result<Vec<(u32, T)>> {
        self.check_word(off, N)?;
        let (cpus, bytes) = self.copies(off, N)?;
        let copies = bytes.chunks_exact(N);
        let words = copies.filter_map(|copy| copy.first_chunk().copied().map(word));
        Ok(cpus.into_iter().zip(words).collect())
    }

    /// Reads `len` bytes at `off` of the copy of each possible CPU. Returns the CPUs, and the bytes
    /// of all copies, one after the other.
    fn copies(&self, off: u32, len: usize) -> Result<(Vec<u32>, Vec<u8>)> {
        self.check_bytes()?;
        self.check_range(off, len)?;
        let cpus = cpus::possible()?;
        let mut bytes = vec![0; len * cpus.len()];
        match self.entry {
            _ if len == 0 => {}
            // For an entry, the kernel reads all copies in one call.
            Some(entry) => {
                // SAFETY: There is room for `len` bytes of each possible CPU.
                unsafe { self.opened.device.read_all(entry, off, len, &mut bytes) }
                    .map_err(|cause| self.io_error(READ, cause, uapi::ALL_CPUS, off, len))?;
            }
            None => {
                for (cpu, copy) in cpus.iter().zip(bytes.chunks_exact_mut(len)) {
                    self.read(*cpu, off, copy)?;
                }
            }
        }
        Ok((cpus, bytes))
    }

    /// Checks that a word of `width` bytes at `off` is within the store and aligned, so that the
    /// kernel reads it as a whole.
    pub fn check_word(&self, off: u32, width: usize) -> Result<()> {
        self.check_range(off, width)?;
        let width = width as u32;
        match off % width {
            0 => Ok(()),
            _ => Err(Error::Misaligned { off, width }),
        }
    }

    fn check_range(&self, off: u32, len: usize) -> Result<()> {
        match u64::from(off) + len as u64 <= u64::from(self.size()) {
            true => Ok(()),
            false => Err(self.past_end(off, len)),
        }
    }

    /// The error for a range that is not within the store.
    pub fn past_end(&self, off: u32, len: usize) -> Error {
        Error::PastEnd {
            name: self.name().to_string(),
            size: self.size(),
            off,
            len,
        }
    }

    /// Returns the kind and number of entries, or an error if the store is not keyed.
    fn keyed(&self) -> Result<Keyed> {
        self.opened.keyed.ok_or_else(|| Error::NotKeyed {
            name: self.name().to_string(),
        })
    }

    /// Fails for a keyed store, which has no bytes outside of its entries.
    fn check_bytes(&self) -> Result<()> {
        match (self.opened.keyed, self.entry) {
            (Some(_), None) => Err(self.has_entries()),
            _ => Ok(()),
        }
    }

    fn has_entries(&self) -> Error {
        let name = self.name().to_string();
        Error::Keyed { name }
    }

    fn no_entry(&self, kind: KeyKind, owner: u64) -> Error {
        let name = self.name().to_string();
        Error::NoEntry { name, kind, owner }
    }

    fn io_error(&self, call: Call, cause: io::Error, cpu: u32, off: u32, len: usize) -> Error {
        match (cause.raw_os_error(), self.opened.keyed, self.entry) {
            (Some(libc::ENOENT), Some(Keyed { kind, .. }), Some(uapi::Entry { owner, .. })) => {
                self.no_entry(kind, owner)
            }
            // The kernel returns ERANGE for a bad range and for a bad CPU.
            (Some(libc::ERANGE), ..) => match self.check_range(off, len) {
                Err(error) => error,
                Ok(()) => no_such_cpu(cpu),
            },
            (.., entry) => other(call[usize::from(entry.is_some())], cause),
        }
    }
}

/// The error for a CPU that is not possible.
pub(crate) fn no_such_cpu(cpu: u32) -> Error {
    Error::NoSuchCpu {
        cpu,
        possible: cpus::possible().map_or("those it has".to_string(), |all| cpus::list(&all)),
    }
}

fn other(call: &'static str, cause: io::Error) -> Error {
    match cause.raw_os_error() {
        Some(libc::ENOTTY | libc::EINVAL) => Error::UnknownCall { call },
        _ => Error::Kernel { call, cause },
    }
}

/// Checks that a name is valid, so that the error can be more precise than the kernel's.
pub fn check_name(name: &str) -> Result<()> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"_.-".contains(&c);
    if name.is_empty() || name.len() >= uapi::NAME_LEN || !name.bytes().all(fits) {
        let name = name.to_string();
        return Err(Error::BadName { name });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "A.b-c_9", "-", &"x".repeat(63)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "a/b", "ä", "a\n", "a\0", &"x".repeat(64)] {
            let error = check_name(name).unwrap_err().to_string();
            assert!(error.contains(&name.escape_debug().to_string()), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
