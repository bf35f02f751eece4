// SPDX-License-Identifier: GPL-2.0

//! What is read and written: a plain store, or an entry of a keyed one.

use anyhow::bail;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::AnyStore;
use bpf_percpu::store::Entry;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::Keyed;
use bpf_percpu::store::Store;
use percpu_live::value::Word;

use crate::cli::Which;
use crate::cli::Whose;
use crate::commands::bad_usage;
use crate::commands::open;
use crate::commands::owner::parse;
use crate::commands::owner::Bad;
use crate::commands::owner::Owner;

/// Bytes for every CPU.
pub enum Target {
    Plain(Store),
    Entry(Keyed, Entry),
}

impl Target {
    /// What the user means.
    pub fn open(which: &Which, whose: &Whose) -> Result<Self> {
        match (open(which)?, &whose.key) {
            (AnyStore::Plain(store), None) => Ok(Self::Plain(store)),
            (AnyStore::Plain(store), Some(_)) => bail!(not_keyed(store.name())),
            (AnyStore::Keyed(store), Some(key)) => {
                let entry = entry(&store, key)?;
                Ok(Self::Entry(store, entry))
            }
            (AnyStore::Keyed(store), None) => bail!(
                "store '{name}' has entries by {kind}: say whose, with --key; percpuctl show {name} \
                 lists who has one",
                name = store.name(),
                kind = store.kind(),
            ),
        }
    }

    /// Where it is, for who does not hold it.
    pub fn place(&self) -> Place {
        Place {
            id: self.id(),
            entry: match self {
                Self::Plain(_) => None,
                Self::Entry(_, entry) => Some(*entry),
            },
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Plain(store) => store.name(),
            Self::Entry(store, _) => store.name(),
        }
    }

    pub fn id(&self) -> u32 {
        match self {
            Self::Plain(store) => store.id(),
            Self::Entry(store, _) => store.id(),
        }
    }

    pub fn size(&self) -> u32 {
        match self {
            Self::Plain(store) => store.size(),
            Self::Entry(store, _) => store.size(),
        }
    }

    pub fn info(&self) -> store::Result<Info> {
        match self {
            Self::Plain(store) => store.info(),
            Self::Entry(store, _) => store.info(),
        }
    }

    /// Whose entry it is.
    pub fn owner(&self) -> Option<Owner> {
        match self {
            Self::Plain(_) => None,
            Self::Entry(store, entry) => Owner::of(store.kind(), entry.owner),
        }
    }

    pub fn read(&self, cpu: u32, off: u32, bytes: &mut [u8]) -> store::Result<()> {
        match self {
            Self::Plain(store) => store.read(cpu, off, bytes),
            Self::Entry(store, entry) => store.read(*entry, cpu, off, bytes),
        }
    }

    pub fn read_all(&self, off: u32, len: u32) -> store::Result<Vec<(u32, Vec<u8>)>> {
        match self {
            Self::Plain(store) => store.read_all(off, len),
            Self::Entry(store, entry) => store.read_all(*entry, off, len),
        }
    }

    pub fn write(&self, cpu: u32, off: u32, bytes: &[u8]) -> store::Result<()> {
        match self {
            Self::Plain(store) => store.write(cpu, off, bytes),
            Self::Entry(store, entry) => store.write(*entry, cpu, off, bytes),
        }
    }

    pub fn write_all(&self, off: u32, bytes: &[u8]) -> store::Result<()> {
        match self {
            Self::Plain(store) => store.write_all(off, bytes),
            Self::Entry(store, entry) => store.write_all(*entry, off, bytes),
        }
    }

    pub fn sum(&self, off: u32, word: Word) -> store::Result<u64> {
        Ok(match (self, word) {
            (Self::Plain(store), Word::U32) => store.sum_u32(off)?.into(),
            (Self::Plain(store), Word::U64) => store.sum_u64(off)?,
            (Self::Entry(store, entry), Word::U32) => store.sum_u32(*entry, off)?.into(),
            (Self::Entry(store, entry), Word::U64) => store.sum_u64(*entry, off)?,
        })
    }

    pub fn past_end(&self, off: u32, len: usize) -> Error {
        match self {
            Self::Plain(store) => store.past_end(off, len),
            Self::Entry(store, _) => store.past_end(off, len),
        }
    }
}

/// A store, and which of its entries.
pub struct Place {
    pub id: u32,
    entry: Option<Entry>,
}

impl Place {
    pub fn open(&self) -> store::Result<Target> {
        Ok(match self.entry {
            None => Target::Plain(Store::open_id(self.id)?),
            Some(entry) => Target::Entry(Keyed::open_id(self.id)?, entry),
        })
    }
}

/// The entry that a user means.
pub fn entry(store: &Keyed, key: &str) -> Result<Entry> {
    match parse(store.kind(), key) {
        Ok(owner) => Ok(Entry::of(owner)),
        Err(Bad::NoCgroup(error)) => Err(error),
        Err(Bad::Usage(why)) => bad_usage(format!("invalid value '{key}' for '--key <K>': {why}")),
    }
}

/// The error of `--key` for a store without entries.
pub fn not_keyed(name: &str) -> String {
    format!("store '{name}' is not keyed, it has no entries: leave out --key")
}
