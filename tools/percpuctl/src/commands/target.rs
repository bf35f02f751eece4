// SPDX-License-Identifier: GPL-2.0

//! The store or entry that the arguments select.

use anyhow::bail;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::Key;
use bpf_percpu::store::Store;
use percpu_live::value::Word;
use serde_json::json;
use serde_json::Value;

use crate::cli::Target;
use crate::cli::Which;
use crate::commands::bad_usage;
use crate::commands::owner::parse;
use crate::commands::owner::Bad;
use crate::commands::owner::Owner;

impl Which {
    /// The id or the name.
    pub fn key(&self) -> Key {
        match (&self.name, self.id) {
            (_, Some(id)) => Key::Id(id),
            (name, None) => Key::Name(name.clone().unwrap_or_default()),
        }
    }

    /// Opens the store.
    pub fn open(&self) -> store::Result<Store> {
        match self.key() {
            Key::Id(id) => Store::open_id(id),
            Key::Name(name) => Store::open(&name),
        }
    }
}

impl Target {
    /// Opens the store or, if it is keyed, an entry: whatever has bytes.
    pub fn open(&self) -> Result<Store> {
        let store = self.which.open()?;
        match (&self.key, store.kind()) {
            (Some(key), _) => entry(&store, key),
            (None, None) => Ok(store),
            (None, Some(kind)) => bail!(
                "store '{name}' has entries by {kind}: say whose, with --key; percpuctl show \
                 {name} lists who has one",
                name = store.name(),
            ),
        }
    }
}

/// Finds a store in the list, which does not open it. A name that has been freed is no name any more.
pub fn find(infos: &[Info], key: Key) -> store::Result<&Info> {
    let found = infos.iter().find(|info| match &key {
        Key::Id(id) => info.id == *id,
        Key::Name(name) => info.name == *name && !info.removed,
    });
    found.ok_or(Error::NotFound { key })
}

/// Returns the entry that `--key` selects.
pub fn entry(store: &Store, key: &str) -> Result<Store> {
    let Some(kind) = store.kind() else {
        bail!(
            "store '{}' is not keyed, it has no entries: leave out --key",
            store.name()
        );
    };
    match parse(kind, key) {
        Ok(owner) => Ok(store.entry(owner)?),
        Err(Bad::NoCgroup(error)) => Err(error),
        Err(Bad::Usage(why)) => bad_usage(format!("invalid value '{key}' for '--key <K>': {why}")),
    }
}

/// The owner, if `store` is an entry.
pub fn owner(store: &Store) -> Option<Owner> {
    Owner::of(store.kind()?, store.owner()?)
}

/// Adds to a result what the result is of.
pub fn result_of(store: &Store, mut result: Value) -> Value {
    result["id"] = json!(store.id());
    result["name"] = json!(store.name());
    if let Some(owner) = owner(store) {
        result["owner"] = json!(owner);
    }
    result
}

/// The sum over all possible CPUs.
pub fn sum(store: &Store, off: u32, word: Word) -> store::Result<u64> {
    match word {
        Word::U32 => store.sum_u32(off).map(u64::from),
        Word::U64 => store.sum_u64(off),
    }
}

/// A store for tests.
#[cfg(test)]
pub fn info(name: &str, size: u32) -> Info {
    Info {
        id: 1,
        name: name.to_string(),
        size,
        pinned: true,
        removed: false,
        refs: 2,
        keyed: false,
    }
}
