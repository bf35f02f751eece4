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
//! a [`Store`], too: what has bytes for every CPU is read and written in one way.
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
mod entries;
mod error;
mod info;
mod key_kind;
mod options;

use std::io;
use std::sync::Arc;

pub use declared::bind;
pub use device::PATH;
pub use entries::Entries;
pub use error::Error;
pub use error::Key;
pub use error::Result;
pub use info::list;
pub use info::Info;
pub use info::KeyedInfo;
pub use key_kind::KeyKind;
pub use options::Options;

use crate::cpus;
use crate::uapi;
use device::Device;

/// An open store, or an entry of an open keyed store. The store lives at least as long as this.
///
/// A plain store and an entry have bytes for every CPU. A keyed store has entries instead: to read
/// or write the keyed store itself is [`Error::Keyed`].
#[derive(Debug, Clone)]
pub struct Store {
    opened: Arc<Opened>,
    /// Of a keyed store, the entry that this is.
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

/// What a keyed store was created with, beside what any store was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Keyed {
    kind: KeyKind,
    entries: u32,
}

/// What a call is named in errors: of a store, and of an entry.
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
            // To the kernel this is neither a name nor an id.
            Key::Id(0) => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            Key::Id(id) => device.attach("", *id),
        };
        attached.map_err(|cause| match cause.raw_os_error() {
            Some(libc::ENOENT) => Error::NotFound { key },
            _ => other("open", cause),
        })?;
        let info = Info::of(&device)?;
        let keyed = match info.keyed {
            true => Some(KeyedInfo::of(&device, &info.name)?.created_with()),
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
        Self {
            opened: Arc::new(opened),
            entry: None,
        }
    }

    /// The name that it was created with.
    pub fn name(&self) -> &str {
        &self.opened.name
    }

    /// Its number: what BPF programs know it by.
    pub fn id(&self) -> u32 {
        self.opened.id
    }

    /// Bytes per CPU; of a keyed store those of each entry.
    pub fn size(&self) -> u32 {
        self.opened.size
    }

    /// What the entries of the store belong to, if it is keyed.
    pub fn kind(&self) -> Option<KeyKind> {
        self.opened.keyed.map(|keyed| keyed.kind)
    }

    /// How many entries the store has, free ones included, if it is keyed.
    pub fn entry_count(&self) -> Option<u32> {
        self.opened.keyed.map(|keyed| keyed.entries)
    }

    /// What is known of the store now.
    pub fn info(&self) -> Result<Info> {
        Info::of(&self.opened.device)
    }

    /// What is known of the entries of a keyed store now.
    pub fn keyed_info(&self) -> Result<KeyedInfo> {
        self.keyed()?;
        KeyedInfo::of(&self.opened.device, self.name())
    }

    /// Lets the store outlive its users.
    pub fn pin(&self) -> Result<()> {
        self.opened.device.pin().map_err(|cause| {
            let (name, id) = (self.name().to_string(), self.id());
            match cause.raw_os_error() {
                Some(libc::EEXIST) => Error::NameTaken { name, id },
                _ => other("pin", cause),
            }
        })
    }

    /// Drops the pin and gives the name free: the store goes with its last user.
    pub fn unpin(&self) -> Result<()> {
        self.opened.device.unpin().map_err(|cause| {
            let (name, id) = (self.name().to_string(), self.id());
            match cause.raw_os_error() {
                Some(libc::ENOENT) => Error::Removed { name, id },
                _ => other("unpin", cause),
            }
        })
    }

    /// The owners of entries in a keyed store, each with its entry, in no order. An entry that is
    /// there all the time comes once.
    pub fn entries(&self) -> Result<Entries> {
        self.keyed()?;
        Ok(Entries::of(self.clone()))
    }

    /// The entry that this owner has in a keyed store: the thread id of a task, the id of a cgroup,
    /// or a number. Whether the owner has one is seen by the calls that use it:
    /// [`Error::NoEntry`].
    pub fn entry(&self, owner: u64) -> Result<Self> {
        self.entry_at(owner, uapi::ANY_INDEX)
    }

    /// As [`entry`](Self::entry), of an entry that is at this index. An entry that the owner gets
    /// later, elsewhere, is another.
    pub fn entry_at(&self, owner: u64, index: u32) -> Result<Self> {
        self.keyed()?;
        Ok(Self {
            opened: Arc::clone(&self.opened),
            entry: Some(uapi::Entry {
                owner,
                index,
                pad: 0,
            }),
        })
    }

    /// Whose entry this is, if it is one.
    pub fn owner(&self) -> Option<u64> {
        self.entry.map(|entry| entry.owner)
    }

    /// Where in its store an entry is, if that is known.
    pub fn index(&self) -> Option<u32> {
        let index = self.entry.map(|entry| entry.index);
        index.filter(|index| *index != uapi::ANY_INDEX)
    }

    /// Takes an entry from its owner. It is free again when no BPF program can use it any more.
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
            Some(libc::ENOENT) => self.no_entry(keyed.kind, entry),
            _ => other("entry delete", cause),
        })
    }

    /// Reads bytes of one CPU's copy.
    pub fn read(&self, cpu: u32, off: u32, bytes: &mut [u8]) -> Result<()> {
        self.check_bytes()?;
        let len = bytes.len();
        self.opened
            .device
            .read(self.entry, cpu, off, bytes)
            .map_err(|cause| self.io_error(READ, cause, cpu, off, len))
    }

    /// Writes bytes of one CPU's copy. What BPF programs add to them meanwhile may be lost.
    pub fn write(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        // To the kernel the number stands for all CPUs.
        if cpu == uapi::ALL_CPUS {
            return Err(no_such_cpu(cpu));
        }
        self.write_to(cpu, off, bytes)
    }

    /// Writes the same bytes to the copy of every possible CPU.
    pub fn write_all(&self, off: u32, bytes: &[u8]) -> Result<()> {
        self.write_to(uapi::ALL_CPUS, off, bytes)
    }

    fn write_to(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        self.check_bytes()?;
        self.opened
            .device
            .write(self.entry, cpu, off, bytes)
            .map_err(|cause| self.io_error(WRITE, cause, cpu, off, bytes.len()))
    }

    /// Reads `len` bytes of the copy of every possible CPU, in the order of the CPUs.
    pub fn read_all(&self, off: u32, len: u32) -> Result<Vec<(u32, Vec<u8>)>> {
        let len = len as usize;
        let (cpus, bytes) = self.copies(off, len)?;
        let mut copies = bytes.chunks_exact(len.max(1)).map(<[u8]>::to_vec);
        let copy = |cpu| (cpu, copies.next().unwrap_or_default());
        Ok(cpus.into_iter().map(copy).collect())
    }

    /// The `u64` at `off` of every possible CPU, in the order of the CPUs.
    pub fn read_u64(&self, off: u32) -> Result<Vec<(u32, u64)>> {
        self.words(off, u64::from_ne_bytes)
    }

    /// The `u32` at `off` of every possible CPU, in the order of the CPUs.
    pub fn read_u32(&self, off: u32) -> Result<Vec<(u32, u32)>> {
        self.words(off, u32::from_ne_bytes)
    }

    /// The sum of the `u64` at `off` over all possible CPUs, modulo 2^64.
    pub fn sum_u64(&self, off: u32) -> Result<u64> {
        let words = self.read_u64(off)?.into_iter();
        Ok(words.fold(0, |sum, (_, word)| sum.wrapping_add(word)))
    }

    /// The sum of the `u32` at `off` over all possible CPUs, modulo 2^32.
    pub fn sum_u32(&self, off: u32) -> Result<u32> {
        let words = self.read_u32(off)?.into_iter();
        Ok(words.fold(0, |sum, (_, word)| sum.wrapping_add(word)))
    }

    fn words<T, const N: usize>(
        &self,
        off: u32,
        of_bytes: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<(u32, T)>> {
        self.check_word(off, N)?;
        let (cpus, bytes) = self.copies(off, N)?;
        let words = bytes.chunks_exact(N).map(|copy| {
            let mut word = [0; N];
            word.copy_from_slice(copy);
            of_bytes(word)
        });
        Ok(cpus.into_iter().zip(words).collect())
    }

    /// The possible CPUs, and `len` bytes of the copy of each, one after the other.
    fn copies(&self, off: u32, len: usize) -> Result<(Vec<u32>, Vec<u8>)> {
        self.check_bytes()?;
        self.check_range(off, len)?;
        let cpus = cpus::possible()?;
        let mut bytes = vec![0; len * cpus.len()];
        match self.entry {
            _ if len == 0 => {}
            // Of an entry the kernel reads all copies in one call.
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

    /// Tells what is wrong with the offset of a word of `width` bytes: it is to be in range, and
    /// where the kernel reads it as one.
    pub fn check_word(&self, off: u32, width: usize) -> Result<()> {
        self.check_range(off, width)?;
        let width = width as u32;
        if off % width != 0 {
            return Err(Error::Misaligned { off, width });
        }
        Ok(())
    }

    fn check_range(&self, off: u32, len: usize) -> Result<()> {
        if u64::from(off) + len as u64 > u64::from(self.size()) {
            return Err(self.past_end(off, len));
        }
        Ok(())
    }

    /// The error of a range that is not in the store.
    pub fn past_end(&self, off: u32, len: usize) -> Error {
        Error::PastEnd {
            name: self.name().to_string(),
            size: self.size(),
            off,
            len,
        }
    }

    /// What of a store is keyed, or the error of one that is not.
    fn keyed(&self) -> Result<Keyed> {
        self.opened.keyed.ok_or_else(|| Error::NotKeyed {
            name: self.name().to_string(),
        })
    }

    /// Refuses a keyed store, whose entries have its bytes.
    fn check_bytes(&self) -> Result<()> {
        match (self.opened.keyed, self.entry) {
            (Some(_), None) => Err(self.has_entries()),
            _ => Ok(()),
        }
    }

    fn has_entries(&self) -> Error {
        Error::Keyed {
            name: self.name().to_string(),
        }
    }

    fn no_entry(&self, kind: KeyKind, entry: uapi::Entry) -> Error {
        Error::NoEntry {
            name: self.name().to_string(),
            kind,
            owner: entry.owner,
        }
    }

    fn io_error(&self, call: Call, cause: io::Error, cpu: u32, off: u32, len: usize) -> Error {
        match (cause.raw_os_error(), self.opened.keyed, self.entry) {
            (Some(libc::ENOENT), Some(keyed), Some(entry)) => self.no_entry(keyed.kind, entry),
            // The kernel says the same of both.
            (Some(libc::ERANGE), ..) => match self.check_range(off, len) {
                Err(error) => error,
                Ok(()) => no_such_cpu(cpu),
            },
            (.., entry) => other(call[usize::from(entry.is_some())], cause),
        }
    }
}

/// The error of a CPU that cannot be.
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

/// Holds a name against the rule, before the kernel sees it.
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
