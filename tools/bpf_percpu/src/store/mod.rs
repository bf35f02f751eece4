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
//! A keyed store has entries, which BPF programs take for tasks, cgroups or numbers:
//!
//! ```no_run
//! use bpf_percpu::store::KeyKind;
//! use bpf_percpu::store::KeyedOptions;
//!
//! let store = KeyedOptions::new("switches", KeyKind::Task, 8, 4096).create_or_open()?;
//! for entry in store.entries() {
//!     let entry = entry?;
//!     println!("task {}: {} switches", entry.owner, store.sum_u64(entry, 0)?);
//! }
//! # Ok::<(), bpf_percpu::store::Error>(())
//! ```

mod declared;
mod device;
mod error;
mod info;
mod key_kind;
mod keyed;
mod keyed_options;
mod opened;
mod options;

use std::io;

pub use declared::bind;
pub use declared::bind_keyed;
pub use device::PATH;
pub use error::Error;
pub use error::Key;
pub use error::Result;
pub use info::list;
pub use info::Info;
pub use key_kind::KeyKind;
pub use keyed::Entries;
pub use keyed::Entry;
pub use keyed::Keyed;
pub use keyed::KeyedInfo;
pub use keyed_options::KeyedOptions;
pub use options::Options;

use crate::cpus;
use crate::uapi;
use opened::Opened;

/// An open store. It lives at least as long as this does.
#[derive(Debug)]
pub struct Store(Opened);

impl Store {
    /// Opens the store that has this name, which is not keyed.
    pub fn open(name: &str) -> Result<Self> {
        AnyStore::open(name)?.plain()
    }

    /// Opens the store with this id, which is not keyed.
    pub fn open_id(id: u32) -> Result<Self> {
        AnyStore::open_id(id)?.plain()
    }

    /// The name that it was created with.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its number: what BPF programs know it by.
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// Bytes per CPU.
    pub fn size(&self) -> u32 {
        self.0.size
    }

    /// What is known of it now.
    pub fn info(&self) -> Result<Info> {
        self.0.info()
    }

    /// Lets it outlive its users.
    pub fn pin(&self) -> Result<()> {
        self.0.pin()
    }

    /// Drops the pin and gives the name free: it goes with its last user.
    pub fn unpin(&self) -> Result<()> {
        self.0.unpin()
    }

    /// Reads bytes of one CPU's copy.
    pub fn read(&self, cpu: u32, off: u32, bytes: &mut [u8]) -> Result<()> {
        let len = bytes.len();
        self.0
            .device
            .read(cpu, off, bytes)
            .map_err(|cause| self.0.io_error("read", cause, cpu, off, len))
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
        self.0
            .device
            .write(cpu, off, bytes)
            .map_err(|cause| self.0.io_error("write", cause, cpu, off, bytes.len()))
    }

    /// Reads `len` bytes of the copy of every possible CPU, in the order of the CPUs.
    pub fn read_all(&self, off: u32, len: u32) -> Result<Vec<(u32, Vec<u8>)>> {
        self.0.check_range(off, len as usize)?;
        cpus::possible()?
            .into_iter()
            .map(|cpu| {
                let mut bytes = vec![0; len as usize];
                self.read(cpu, off, &mut bytes)?;
                Ok((cpu, bytes))
            })
            .collect()
    }

    /// The sum of the `u64` at `off` over all possible CPUs, modulo 2^64.
    pub fn sum_u64(&self, off: u32) -> Result<u64> {
        let words = self.words(off, u64::from_ne_bytes)?;
        Ok(words.fold(0, u64::wrapping_add))
    }

    /// The sum of the `u32` at `off` over all possible CPUs, modulo 2^32.
    pub fn sum_u32(&self, off: u32) -> Result<u32> {
        let words = self.words(off, u32::from_ne_bytes)?;
        Ok(words.fold(0, u32::wrapping_add))
    }

    fn words<T, const N: usize>(
        &self,
        off: u32,
        of_bytes: impl Fn([u8; N]) -> T,
    ) -> Result<impl Iterator<Item = T>> {
        self.0.check_word(off, N)?;
        let words: Result<Vec<T>> = cpus::possible()?
            .into_iter()
            .map(|cpu| {
                let mut bytes = [0; N];
                self.read(cpu, off, &mut bytes)?;
                Ok(of_bytes(bytes))
            })
            .collect();
        Ok(words?.into_iter())
    }

    /// The error of a range that is not in the store.
    pub fn past_end(&self, off: u32, len: usize) -> Error {
        self.0.past_end(off, len)
    }
}

/// A store of either kind: see [`Store`] and [`Keyed`].
#[derive(Debug)]
#[allow(missing_docs, reason = "they are what they are called")]
pub enum AnyStore {
    Plain(Store),
    Keyed(Keyed),
}

impl AnyStore {
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
        Ok(match Opened::attach(key)? {
            (opened, false) => Self::Plain(Store(opened)),
            (opened, true) => Self::Keyed(Keyed::of(opened)?),
        })
    }

    /// The store, which is not to be keyed.
    pub fn plain(self) -> Result<Store> {
        match self {
            Self::Plain(store) => Ok(store),
            Self::Keyed(store) => Err(Error::Keyed {
                name: store.name().to_string(),
            }),
        }
    }

    /// The store, which is to be keyed.
    pub fn keyed(self) -> Result<Keyed> {
        match self {
            Self::Keyed(store) => Ok(store),
            Self::Plain(store) => Err(Error::NotKeyed {
                name: store.name().to_string(),
            }),
        }
    }

    fn opened(&self) -> &Opened {
        match self {
            Self::Plain(store) => &store.0,
            Self::Keyed(store) => store.opened(),
        }
    }

    /// The name that it was created with.
    pub fn name(&self) -> &str {
        &self.opened().name
    }

    /// Its number: what BPF programs know it by.
    pub fn id(&self) -> u32 {
        self.opened().id
    }

    /// Drops the pin and gives the name free: it goes with its last user.
    pub fn unpin(&self) -> Result<()> {
        self.opened().unpin()
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
