// SPDX-License-Identifier: GPL-2.0

//! A section of per-CPU variables in a loaded object.

use anyhow::Result;

use crate::store::Store;
use crate::variables::array::Array;

/// A section of per-CPU variables.
#[derive(Debug)]
pub struct Section {
    pub(super) name: String,
    pub(super) image: Vec<u8>,
    pub(super) backing: Backing,
}

/// Where the variables are.
#[derive(Debug)]
pub enum Backing {
    Array(Array),
    Store(Store),
}

impl Section {
    /// Its name in the source: `.percpu`, `.percpu.NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes per CPU.
    pub fn size(&self) -> usize {
        self.image.len()
    }

    /// The initial bytes of each CPU according to this object. A shared store has those of the
    /// object that created it.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// The bytes of one CPU.
    pub fn read(&self, cpu: u32) -> Result<Vec<u8>> {
        match &self.backing {
            Backing::Array(array) => array.read(cpu),
            Backing::Store(store) => {
                let mut bytes = vec![0; self.size()];
                store.read(cpu, 0, &mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Writes bytes of one CPU. Concurrent writes by programs to these bytes may be lost. With
    /// native variables, so may concurrent writes to any byte that the section has on this CPU.
    pub fn write(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        match &self.backing {
            Backing::Array(array) => array.write(cpu, off, bytes),
            Backing::Store(store) => Ok(store.write(cpu, off, bytes)?),
        }
    }

    /// Writes the same bytes for every possible CPU.
    pub fn write_all(&self, off: u32, bytes: &[u8]) -> Result<()> {
        match &self.backing {
            Backing::Array(array) => array.write_all(off, bytes),
            Backing::Store(store) => Ok(store.write_all(off, bytes)?),
        }
    }

    /// The name and id of the store; `None` for native variables.
    pub fn store(&self) -> Option<(&str, u32)> {
        match &self.backing {
            Backing::Array(_) => None,
            Backing::Store(store) => Some((store.name(), store.id())),
        }
    }
}
