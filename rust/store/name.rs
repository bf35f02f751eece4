// SPDX-License-Identifier: GPL-2.0

//! Names of stores.

/// The length of the array that holds a name, with a NUL at least.
pub(crate) const LEN: usize = crate::bindings::BPF_PERCPU_NAME_LEN as usize;

/// A name of a store.
///
/// # Invariants
///
/// 1 to `LEN - 1` of `[A-Za-z0-9_.-]`, and NUL from there to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; LEN]);

impl Name {
    /// The name in `bytes`, if it is one.
    pub(crate) fn new(bytes: [u8; LEN]) -> Option<Self> {
        let len = bytes.iter().take_while(|byte| is_allowed(**byte)).count();
        let padded = bytes.iter().skip(len).all(|byte| *byte == 0);
        // INVARIANT: Checked here.
        (1..LEN)
            .contains(&len)
            .then_some(Self(bytes))
            .filter(|_| padded)
    }

    /// The name that `bytes` yield, up to a NUL or their end, if it is one. Takes no more than
    /// there is room for.
    pub(crate) fn from_bytes(bytes: impl Iterator<Item = u8>) -> Option<Self> {
        let mut name = [0; LEN];
        let bytes = bytes.take_while(|byte| *byte != 0);
        for (to, byte) in name.iter_mut().zip(bytes) {
            *to = byte;
        }
        Self::new(name)
    }

    /// The name and the NULs after it.
    pub(crate) fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// FNV-1a, which starts with `seed`: <http://www.isthe.com/chongo/tech/comp/fnv/>
    pub(super) fn hash(&self, seed: u32) -> u32 {
        let name = self.0.iter().take_while(|byte| **byte != 0);
        name.fold(0x811c_9dc5 ^ seed, |hash: u32, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
    }
}

const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}
