// SPDX-License-Identifier: GPL-2.0

//! Creating stores.

use std::io;

use crate::store::check_name;
use crate::store::device::Device;
use crate::store::opened::Opened;
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
        self.check()?;
        let device = Device::open()?;
        match device.create(self.name, self.size, self.flags(), self.image) {
            Ok(id) => Ok(Store(self.opened(device, id))),
            Err(cause) => Err(self.create_error(cause)),
        }
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn size(&self) -> u32 {
        self.size
    }

    pub(super) fn initial(&self) -> &'a [u8] {
        self.image
    }

    pub(super) fn flags(&self) -> u32 {
        if self.pinned {
            uapi::F_PINNED
        } else {
            0
        }
    }

    pub(super) fn opened(&self, device: Device, id: u32) -> Opened {
        Opened {
            device,
            name: self.name.to_string(),
            id,
            size: self.size,
        }
    }

    /// What the kernel would refuse, with its reason.
    pub(super) fn check(&self) -> Result<()> {
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
        Ok(())
    }

    fn create_error(&self, cause: io::Error) -> Error {
        let (name, size) = (self.name.to_string(), self.size);
        match cause.raw_os_error() {
            Some(libc::EEXIST) => Error::Exists { name },
            Some(libc::ENOSPC) => Error::Full { name, size },
            Some(libc::ENOMEM) => Error::NoMemory { name, size },
            Some(libc::E2BIG) => Error::TooLarge {
                name,
                size: size.into(),
            },
            _ => other("create", cause),
        }
    }

    /// What is wrong with a store of this name that is there already.
    pub(super) fn check_size(&self, has: u32) -> Result<()> {
        if has != self.size {
            return Err(Error::SizeDiffers {
                name: self.name.to_string(),
                has,
                wanted: self.size,
            });
        }
        Ok(())
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
            self.check_size(store.size())?;
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
