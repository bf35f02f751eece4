// SPDX-License-Identifier: GPL-2.0

//! Stores for tests.

use super::*;

/// The name `text`.
pub(in crate::store) fn name(text: &str) -> Result<Name> {
    Name::from_bytes(text.bytes()).ok_or(EINVAL)
}

/// A store of `size` bytes, which is not pinned.
pub(in crate::store) fn create(text: &str, size: u32) -> Result<ARef<Store>> {
    Store::create(name(text)?, size, &[], false)
}

/// The copy of `cpu`.
pub(in crate::store) fn bytes_of(store: &Store, cpu: PossibleCpu) -> Result<KVVec<u8>> {
    let mut bytes = KVVec::from_elem(0xa5, store.memory().size() as usize, GFP_KERNEL)?;
    store.memory().read_on(cpu, 0, &mut bytes)?;
    Ok(bytes)
}
