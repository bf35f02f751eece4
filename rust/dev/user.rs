// SPDX-License-Identifier: GPL-2.0

//! Copies arguments and bytes of calls between user space and the kernel.

use kernel::{
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// The argument of a call: the user address of a struct.
#[derive(Clone, Copy)]
pub(super) struct Arg(pub(super) usize);

impl Arg {
    /// Copies the struct from user space.
    pub(super) fn read<T: FromBytes>(self) -> Result<T> {
        UserSlice::new(UserPtr::from_addr(self.0), size_of::<T>())
            .reader()
            .read()
    }

    /// Copies `value` to user space.
    pub(super) fn write<T: AsBytes>(self, value: &T) -> Result {
        UserSlice::new(UserPtr::from_addr(self.0), size_of::<T>())
            .writer()
            .write(value)
    }
}

/// A pointer to `addr`; `EFAULT` if an address cannot be that large.
pub(super) fn user_ptr(addr: u64) -> Result<UserPtr> {
    Ok(UserPtr::from_addr(
        usize::try_from(addr).map_err(|_| EFAULT)?,
    ))
}

/// A buffer of `len` zeroes, for bytes that go to user space.
pub(super) fn zeroed(len: u32) -> Result<KVVec<u8>> {
    Ok(KVVec::from_elem(0, len as usize, GFP_KERNEL)?)
}

/// Copies `len` bytes at `addr` from user space.
pub(super) fn read_bytes(addr: u64, len: u32) -> Result<KVVec<u8>> {
    let mut bytes = KVVec::new();
    UserSlice::new(user_ptr(addr)?, len as usize).read_all(&mut bytes, GFP_KERNEL)?;
    Ok(bytes)
}

/// Copies `bytes` to user space, to `addr`.
pub(super) fn write_bytes(addr: u64, bytes: &[u8]) -> Result {
    UserSlice::new(user_ptr(addr)?, bytes.len())
        .writer()
        .write_slice(bytes)
}
