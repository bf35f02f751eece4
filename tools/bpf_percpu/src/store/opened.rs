// SPDX-License-Identifier: GPL-2.0

//! What plain and keyed stores have in common.

use std::io;

use crate::store::device::Device;
use crate::store::no_such_cpu;
use crate::store::other;
use crate::store::Error;
use crate::store::Info;
use crate::store::Key;
use crate::store::Result;

/// An open file, and the store that it refers to.
#[derive(Debug)]
pub(super) struct Opened {
    pub device: Device,
    pub name: String,
    pub id: u32,
    pub size: u32,
}

impl Opened {
    /// Opens a store, and tells whether it is keyed.
    pub fn attach(key: Key) -> Result<(Self, bool)> {
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
        let opened = Self {
            device,
            name: info.name,
            id: info.id,
            size: info.size,
        };
        Ok((opened, info.keyed))
    }

    pub fn info(&self) -> Result<Info> {
        Info::of(&self.device)
    }

    pub fn pin(&self) -> Result<()> {
        self.device.pin().map_err(|cause| {
            let (name, id) = (self.name.clone(), self.id);
            match cause.raw_os_error() {
                Some(libc::EEXIST) => Error::NameTaken { name, id },
                _ => other("pin", cause),
            }
        })
    }

    pub fn unpin(&self) -> Result<()> {
        self.device.unpin().map_err(|cause| {
            let (name, id) = (self.name.clone(), self.id);
            match cause.raw_os_error() {
                Some(libc::ENOENT) => Error::Removed { name, id },
                _ => other("unpin", cause),
            }
        })
    }

    pub fn check_range(&self, off: u32, len: usize) -> Result<()> {
        if u64::from(off) + len as u64 > u64::from(self.size) {
            return Err(self.past_end(off, len));
        }
        Ok(())
    }

    /// A word of `width` bytes is in range, and where the kernel reads it as one.
    pub fn check_word(&self, off: u32, width: usize) -> Result<()> {
        self.check_range(off, width)?;
        let width = width as u32;
        if off % width != 0 {
            return Err(Error::Misaligned { off, width });
        }
        Ok(())
    }

    pub fn past_end(&self, off: u32, len: usize) -> Error {
        Error::PastEnd {
            name: self.name.clone(),
            size: self.size,
            off,
            len,
        }
    }

    pub fn io_error(
        &self,
        call: &'static str,
        cause: io::Error,
        cpu: u32,
        off: u32,
        len: usize,
    ) -> Error {
        if cause.raw_os_error() != Some(libc::ERANGE) {
            return other(call, cause);
        }
        // The kernel says the same of both.
        if let Err(error) = self.check_range(off, len) {
            return error;
        }
        no_such_cpu(cpu)
    }
}
