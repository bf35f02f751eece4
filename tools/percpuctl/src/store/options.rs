// SPDX-License-Identifier: GPL-2.0

//! Creating stores.

use crate::store::check_name;
use crate::store::device::Device;
use crate::store::other;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::uapi;

/// What a new store shall be.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    name: &'a str,
    size: u32,
    image: &'a [u8],
    pinned: bool,
}

impl<'a> Options<'a> {
    /// A store of `size` bytes per CPU, all zero.
    pub fn new(name: &'a str, size: u32) -> Self {
        Self {
            name,
            size,
            image: &[],
            pinned: false,
        }
    }

    /// The initial bytes of every CPU; the rest is zero.
    pub fn image(mut self, image: &'a [u8]) -> Self {
        self.image = image;
        self
    }

    /// Whether the store outlives its creator.
    pub fn pinned(mut self, pinned: bool) -> Self {
        self.pinned = pinned;
        self
    }

    /// Creates the store.
    pub fn create(&self) -> Result<Store> {
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
        let flags = if self.pinned { uapi::F_PINNED } else { 0 };
        let device = Device::open()?;
        let created = device.create(self.name, size, flags, self.image);
        match created {
            Ok(id) => Ok(Store {
                device,
                name,
                id,
                size,
            }),
            Err(cause) => Err(match cause.raw_os_error() {
                Some(libc::EEXIST) => Error::Exists { name },
                Some(libc::ENOSPC) => Error::Full { name, size },
                Some(libc::ENOMEM) => Error::NoMemory { name, size },
                Some(libc::E2BIG) => Error::TooLarge {
                    name,
                    size: size.into(),
                },
                _ => other("create", cause),
            }),
        }
    }

    /// Creates the store, or opens the one that has the name and the size already, as it is.
    pub fn create_or_open(&self) -> Result<Store> {
        loop {
            match self.create() {
                Err(Error::Exists { .. }) => {}
                result => return result,
            }
            let store = match Store::open(self.name) {
                // Another removed it meanwhile.
                Err(Error::NotFound { .. }) => continue,
                result => result?,
            };
            if store.size != self.size {
                return Err(Error::SizeDiffers {
                    name: store.name,
                    has: store.size,
                    wanted: self.size,
                });
            }
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
        assert!(refused(Options::new("", 8)).contains("''"));
        assert!(refused(Options::new("x", 0)).contains("1 to 32768"));
        assert!(refused(Options::new("x", 32769)).contains("32769"));
        assert!(refused(Options::new("x", 2).image(b"abc")).contains("3 bytes"));
    }
}
