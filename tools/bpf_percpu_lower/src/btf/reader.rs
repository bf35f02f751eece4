// SPDX-License-Identifier: GPL-2.0

//! Reads little-endian numbers from untrusted bytes.

use crate::btf::Error;
use crate::btf::Result;

/// The bytes that have not been read yet.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
    /// The highest type id that was read.
    pub highest_type: u32,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        let highest_type = 0;
        Self {
            bytes,
            what,
            highest_type,
        }
    }

    /// The error that the section is damaged.
    pub fn error(&self, why: impl Into<String>) -> Error {
        Error {
            what: self.what,
            why: why.into(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let split = self.bytes.split_at_checked(len);
        let why = || self.error(format!("it ends {len} bytes too early"));
        let bytes;
        (bytes, self.bytes) = split.ok_or_else(why)?;
        Ok(bytes)
    }

    /// A type id. The caller checks [`highest_type`](Self::highest_type) when all types are read.
    pub fn type_id(&mut self) -> Result<u32> {
        let id = self.u32()?;
        self.highest_type = self.highest_type.max(id);
        Ok(id)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// Part of what is left.
    pub fn part(&self, off: u32, len: u32) -> Result<Self> {
        let part = (self.bytes.get(off as usize..)).and_then(|rest| rest.get(..len as usize));
        let why = || self.error(format!("its part of {len} bytes at {off} is past the end"));
        let bytes = part.ok_or_else(why)?;
        Ok(Self { bytes, ..*self })
    }

    /// All that is left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The number at the start of some bytes; 0 if there are fewer than four. In a record of `.BTF.ext`
/// it is the offset of the instruction that the record describes.
pub fn number(bytes: &[u8]) -> u32 {
    let number = bytes.first_chunk();
    number.map_or(0, |number| u32::from_le_bytes(*number))
}
