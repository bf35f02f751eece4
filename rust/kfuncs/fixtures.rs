// SPDX-License-Identifier: GPL-2.0

//! Fixtures for tests of kfuncs.

use super::store::handle;
use crate::{
    bindings::bpf_percpu_store,
    percpu::PossibleCpu,
    store::{
        Name,
        Store, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
    },
};

/// A store that is dropped at the end of the test.
pub(super) struct TestStore(pub(super) ARef<Store>);

impl TestStore {
    /// A store with a name that no other store has.
    pub(super) fn new(size: u32) -> Result<Self> {
        static NUMBER: Atomic<u32> = Atomic::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let mut name = *b"kunit.01234567";
        for (digit, byte) in name[6..].iter_mut().enumerate() {
            *byte = b'a' + (number >> (4 * digit) & 0xf) as u8;
        }
        let name = Name::from_bytes(name.into_iter());
        Store::create(name.ok_or(EINVAL)?, size, &[], false).map(Self)
    }

    /// A store with this name, which must not be in use.
    pub(super) fn named(name: &CStr, size: u32) -> Result<Self> {
        let name = Name::from_bytes(name.to_bytes().iter().copied());
        Store::create(name.ok_or(EINVAL)?, size, &[], false).map(Self)
    }

    /// The id of a store that is gone.
    pub(super) fn dead_id() -> Result<u32> {
        Self::new(8).map(|store| store.0.id())
    }

    /// The handle that a program has.
    pub(super) fn handle(&self) -> *mut bpf_percpu_store {
        handle(&self.0)
    }

    /// Fills each CPU's slot with `byte`.
    pub(super) fn fill(&self, byte: u8) -> Result {
        let memory = self.0.memory();
        for cpu in PossibleCpu::all() {
            for off in 0..memory.size() {
                memory.write_on(cpu, off, &[byte])?;
            }
        }
        Ok(())
    }

    /// Whether each byte of each CPU's slot is `byte`.
    pub(super) fn is_filled(&self, byte: u8) -> bool {
        let memory = self.0.memory();
        let is = |cpu, off| {
            let mut read = [0];
            memory.read_on(cpu, off, &mut read).is_ok() && read == [byte]
        };
        PossibleCpu::all().all(|cpu| (0..memory.size()).all(|off| is(cpu, off)))
    }
}
