// SPDX-License-Identifier: GPL-2.0

//! Creating keyed stores.

use std::io;

use crate::store::device::Device;
use crate::store::other;
use crate::store::Error;
use crate::store::KeyKind;
use crate::store::Keyed;
use crate::store::Options;
use crate::store::Result;

/// What a new keyed store shall be.
#[derive(Debug, Clone)]
pub struct KeyedOptions<'a> {
    store: Options<'a>,
    kind: KeyKind,
    entries: u32,
}

impl<'a> KeyedOptions<'a> {
    /// A store with so many entries, each of `size` bytes per CPU, all zero.
    pub fn new(name: &'a str, kind: KeyKind, size: u32, entries: u32) -> Self {
        Self {
            store: Options::new(name, size),
            kind,
            entries,
        }
    }

    /// What an entry begins with, on every CPU; the rest is zero.
    pub fn image(mut self, image: &'a [u8]) -> Self {
        self.store = self.store.image(image);
        self
    }

    /// Whether the store outlives its creator.
    pub fn pinned(mut self, pinned: bool) -> Self {
        self.store = self.store.pinned(pinned);
        self
    }

    /// Creates the store.
    pub fn create(&self) -> Result<Keyed> {
        self.store.check()?;
        let Self {
            store,
            kind,
            entries,
        } = self;
        let name = store.name();
        if *entries == 0 {
            let name = name.to_string();
            return Err(Error::NoEntries { name });
        }
        let device = Device::open()?;
        let created = device.create_keyed(
            name,
            store.size(),
            store.flags(),
            store.initial(),
            kind.number(),
            *entries,
        );
        match created {
            Ok(id) => Ok(Keyed::new(store.opened(device, id), *kind, *entries)),
            Err(cause) => Err(self.create_error(cause)),
        }
    }

    fn create_error(&self, cause: io::Error) -> Error {
        let (name, size) = (self.store.name().to_string(), self.store.size());
        let (kind, entries) = (self.kind, self.entries);
        match cause.raw_os_error() {
            Some(libc::EEXIST) => Error::Exists { name },
            Some(libc::ENOSPC) => Error::EntriesFull {
                name,
                size,
                entries,
            },
            Some(libc::ENOMEM) => Error::NoMemoryForEntries {
                name,
                size,
                entries,
            },
            Some(libc::E2BIG) => Error::TooManyEntries {
                name,
                size,
                entries,
            },
            Some(libc::EOPNOTSUPP) => Error::NoEnds { name, kind },
            _ => other("create keyed", cause),
        }
    }

    /// Creates the store, or opens the one that has the name, and is such a store already, as it
    /// is.
    pub fn create_or_open(&self) -> Result<Keyed> {
        loop {
            match self.create() {
                Err(Error::Exists { .. }) => {}
                result => return result,
            }
            let store = match Keyed::open(self.store.name()) {
                // Another removed it meanwhile.
                Err(Error::NotFound { .. }) => continue,
                result => result?,
            };
            self.check_same(store.size(), store.kind(), store.entry_count())?;
            return Ok(store);
        }
    }

    /// What is wrong with a store of this name that is there already.
    pub(super) fn check_same(&self, size: u32, kind: KeyKind, entries: u32) -> Result<()> {
        self.store.check_size(size)?;
        let name = || self.store.name().to_string();
        if kind != self.kind {
            return Err(Error::KindDiffers {
                name: name(),
                has: kind,
                wanted: self.kind,
            });
        }
        if entries != self.entries {
            return Err(Error::EntriesDiffer {
                name: name(),
                has: entries,
                wanted: self.entries,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_the_kernel_is_asked() {
        let options = |name, size, entries| KeyedOptions::new(name, KeyKind::Task, size, entries);
        let refused = |options: KeyedOptions<'_>| options.create().unwrap_err().to_string();
        assert!(refused(options("", 8, 1)).contains("''"));
        assert!(refused(options("x", 0, 1)).contains("1 to 32768"));
        assert!(refused(options("x", 8, 0)).contains("0 entries"));
        assert!(refused(options("x", 2, 1).image(b"abc")).contains("3 bytes"));
    }

    #[test]
    fn errors_say_what_to_do() {
        let options = KeyedOptions::new("x", KeyKind::Cgroup, 16, 5000);
        for (errno, words) in [
            (libc::EEXIST, ["'x' exists", "percpuctl rm x"]),
            (libc::ENOSPC, ["5000 entries of 16 bytes", "max_bytes"]),
            (libc::ENOMEM, ["5000 entries of 16 bytes", "fewer"]),
            (libc::E2BIG, ["5000 entries of 16 bytes", "max_bytes"]),
            (libc::EOPNOTSUPP, ["by cgroup", "numbers"]),
            (libc::ENOTTY, ["create keyed", "load the module"]),
        ] {
            let error = options.create_error(io::Error::from_raw_os_error(errno));
            let text = error.to_string();
            assert_eq!(text.lines().count(), 1, "{text}");
            for word in words {
                assert!(text.contains(word), "{errno}: no '{word}' in: {text}");
            }
        }
    }

    #[test]
    fn another_store_is_not_taken_for_it() {
        let options = KeyedOptions::new("x", KeyKind::Task, 16, 64);
        assert!(options.check_same(16, KeyKind::Task, 64).is_ok());
        for (size, kind, entries, words) in [
            (8, KeyKind::Task, 64, "8 bytes per CPU, not 16"),
            (16, KeyKind::U64, 64, "by u64, not by task"),
            (16, KeyKind::Task, 65, "65 entries, not 64"),
        ] {
            let error = options.check_same(size, kind, entries).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.to_string().contains("percpuctl rm x"), "{error}");
        }
    }
}
