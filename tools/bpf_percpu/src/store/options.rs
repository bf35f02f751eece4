// SPDX-License-Identifier: GPL-2.0

//! Creating stores.

use std::io;

use crate::store::check_name;
use crate::store::device::Device;
use crate::store::other;
use crate::store::Error;
use crate::store::KeyKind;
use crate::store::Keyed;
use crate::store::Opened;
use crate::store::Result;
use crate::store::Store;
use crate::uapi;

/// The properties of a store to create.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    name: &'a str,
    size: u32,
    image: &'a [u8],
    pinned: bool,
    keyed: Option<Keyed>,
}

impl<'a> Options<'a> {
    /// A store of `size` bytes per CPU, all zero.
    pub fn new(name: &'a str, size: u32) -> Self {
        Self {
            name,
            size,
            image: &[],
            pinned: false,
            keyed: None,
        }
    }

    /// Sets the initial bytes of each CPU's copy of the store, or of each entry. The rest is zero.
    pub fn image(mut self, image: &'a [u8]) -> Self {
        self.image = image;
        self
    }

    /// Sets whether to pin the store, so that it outlives its creator.
    pub fn pinned(mut self, pinned: bool) -> Self {
        self.pinned = pinned;
        self
    }

    /// Makes the store keyed, with `entries` entries of the store's size.
    pub fn keyed(mut self, kind: KeyKind, entries: u32) -> Self {
        self.keyed = Some(Keyed { kind, entries });
        self
    }

    /// Creates the store.
    pub fn create(&self) -> Result<Store> {
        self.check()?;
        let flags = if self.pinned { uapi::F_PINNED } else { 0 };
        let keyed = self.keyed.map(|keyed| (keyed.kind.number(), keyed.entries));
        let device = Device::open()?;
        let created = device.create(self.name, self.size, flags, self.image, keyed);
        Ok(Store::of(Opened {
            id: created.map_err(|cause| self.create_error(cause))?,
            device,
            name: self.name.to_string(),
            size: self.size,
            keyed: self.keyed,
        }))
    }

    /// Reports what the kernel would refuse, with the reason.
    fn check(&self) -> Result<()> {
        let (name, size) = (self.name.to_string(), self.size);
        check_name(self.name)?;
        if size == 0 {
            return Err(Error::Empty { name });
        }
        if size > uapi::MAX_SIZE {
            let size = size.into();
            return Err(Error::TooLarge { name, size });
        }
        let image = self.image.len();
        if image > size as usize {
            return Err(Error::ImageTooLarge { name, size, image });
        }
        if self.keyed.is_some_and(|keyed| keyed.entries == 0) {
            return Err(Error::NoEntries { name });
        }
        Ok(())
    }

    fn create_error(&self, cause: io::Error) -> Error {
        let (name, size) = (self.name.to_string(), self.size);
        let entries = self.keyed.map(|keyed| keyed.entries);
        match (cause.raw_os_error(), self.keyed) {
            (Some(libc::EEXIST), _) => Error::Exists { name },
            (Some(libc::ENOSPC), _) => Error::Full {
                name,
                size,
                entries,
            },
            (Some(libc::ENOMEM), _) => Error::NoMemory {
                name,
                size,
                entries,
            },
            (Some(libc::E2BIG), None) => Error::TooLarge {
                name,
                size: size.into(),
            },
            (Some(libc::E2BIG), Some(Keyed { entries, .. })) => Error::TooManyEntries {
                name,
                size,
                entries,
            },
            (Some(libc::EOPNOTSUPP), Some(Keyed { kind, .. })) => Error::NoEnds { name, kind },
            (_, None) => other("create", cause),
            (_, Some(_)) => other("create keyed", cause),
        }
    }

    /// Checks that the store that already has this name has these properties.
    pub(super) fn check_shape(&self, size: u32, keyed: Option<Keyed>) -> Result<()> {
        let name = self.name.to_string();
        match (keyed, self.keyed) {
            (Some(_), None) => Err(Error::Keyed { name }),
            (None, Some(_)) => Err(Error::NotKeyed { name }),
            _ if size != self.size => {
                let (has, wanted) = (size, self.size);
                Err(Error::SizeDiffers { name, has, wanted })
            }
            (Some(has), Some(wanted)) if has.kind != wanted.kind => {
                let (has, wanted) = (has.kind, wanted.kind);
                Err(Error::KindDiffers { name, has, wanted })
            }
            (Some(has), Some(wanted)) if has.entries != wanted.entries => {
                let (has, wanted) = (has.entries, wanted.entries);
                Err(Error::EntriesDiffer { name, has, wanted })
            }
            _ => Ok(()),
        }
    }

    /// Creates the store, or opens an existing one with this name. An existing store keeps its
    /// contents; it is an error if its size, kind or number of entries differs.
    pub fn create_or_open(&self) -> Result<Store> {
        loop {
            match self.create() {
                Err(Error::Exists { .. }) => {}
                result => return result,
            }
            let store = match Store::open(self.name) {
                // It was removed in the meantime.
                Err(Error::NotFound { .. }) => continue,
                result => result?,
            };
            self.check_shape(store.size(), store.opened.keyed)?;
            return Ok(store);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_the_kernel_is_asked() {
        let refused = |options: Options<'_>| options.create().unwrap_err().to_string();
        let keyed = |name, size, entries| Options::new(name, size).keyed(KeyKind::Task, entries);
        for options in [Options::new("", 8), keyed("", 8, 1)] {
            assert!(refused(options).contains("''"));
        }
        for options in [Options::new("x", 0), keyed("x", 0, 1)] {
            assert!(refused(options).contains("1 to 32768"));
        }
        assert!(refused(Options::new("x", 32769)).contains("32769"));
        assert!(refused(keyed("x", 8, 0)).contains("0 entries"));
        for options in [Options::new("x", 2), keyed("x", 2, 1)] {
            assert!(refused(options.image(b"abc")).contains("3 bytes"));
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let options = Options::new("x", 16).keyed(KeyKind::Cgroup, 5000);
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
        let options = Options::new("x", 16).keyed(KeyKind::Task, 64);
        let keyed = |kind, entries| Some(Keyed { kind, entries });
        assert!(options.check_shape(16, keyed(KeyKind::Task, 64)).is_ok());
        for (size, has, words) in [
            (16, None, "is not keyed"),
            (8, keyed(KeyKind::Task, 64), "8 bytes per CPU, not 16"),
            (16, keyed(KeyKind::U64, 64), "by u64, not by task"),
            (16, keyed(KeyKind::Task, 65), "65 entries, not 64"),
        ] {
            let error = options.check_shape(size, has).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.to_string().contains("percpuctl rm x"), "{error}");
        }
        let plain = Options::new("x", 16);
        assert!(plain.check_shape(16, None).is_ok());
        let error = plain.check_shape(16, keyed(KeyKind::Task, 64)).unwrap_err();
        assert!(error.to_string().contains("is keyed"), "{error}");
    }
}
