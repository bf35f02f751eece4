// SPDX-License-Identifier: GPL-2.0

//! Names of stores.

/// The length of the array that holds a name, with at least one NUL at the end.
pub(crate) const LEN: usize = crate::bindings::BPF_PERCPU_NAME_LEN as usize;

/// A name of a store.
///
/// # Invariants
///
/// 1 to `LEN - 1` bytes of `[A-Za-z0-9_.-]`, then NULs to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; LEN]);

impl Name {
    /// The name in `bytes`; `None` if it is not a valid one.
    pub(crate) fn new(bytes: [u8; LEN]) -> Option<Self> {
        let len = bytes.iter().take_while(|byte| is_allowed(**byte)).count();
        let padded = bytes.iter().skip(len).all(|byte| *byte == 0);
        // INVARIANT: Length, characters and padding are checked here.
        (1..LEN)
            .contains(&len)
            .then_some(Self(bytes))
            .filter(|_| padded)
    }

    /// The name that `bytes` yield, up to a NUL or the end; `None` if it is not a valid one. Takes no
    /// more than [`LEN`] bytes.
    pub(crate) fn from_bytes(bytes: impl Iterator<Item = u8>) -> Option<Self> {
        let mut name = [0; LEN];
        let bytes = bytes.take_while(|byte| *byte != 0);
        for (to, byte) in name.iter_mut().zip(bytes) {
            *to = byte;
        }
        Self::new(name)
    }

    /// The name, padded with NULs.
    pub(crate) fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The name's FNV-1a hash, seeded with `seed`: <http://www.isthe.com/chongo/tech/comp/fnv/>
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

#[kernel::prelude::kunit_tests(bpf_percpu_name)]
mod tests {
    use super::*;

    /// `text`, padded with NULs.
    fn array(text: &[u8]) -> [u8; LEN] {
        let mut array = [0; LEN];
        for (to, from) in array.iter_mut().zip(text) {
            *to = *from;
        }
        array
    }

    fn is_name(text: &[u8]) -> bool {
        Name::new(array(text)).is_some()
    }

    #[test]
    fn lengths() {
        assert_eq!(LEN, 64);
        assert!(!is_name(&[]));
        for len in 1..64 {
            assert!(is_name(&[b'x'; 64][..len]));
        }
        assert!(!is_name(&[b'x'; 64]));
    }

    #[test]
    fn keeps_every_byte() {
        let bytes = array(&[b'x'; 63]);
        assert!(Name::new(bytes).is_some_and(|name| *name.as_bytes() == bytes));
    }

    #[test]
    fn each_byte_in_each_place() {
        let allowed: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
        for byte in 0..=255 {
            let is_allowed = allowed.contains(&byte);
            assert_eq!(is_name(&[byte]), is_allowed);
            assert_eq!(is_name(&[b'x', byte, b'x']), is_allowed);
            let mut longest = [b'x'; 63];
            longest[62] = byte;
            // A NUL makes the name shorter.
            assert_eq!(is_name(&longest), is_allowed || byte == 0);
        }
    }

    #[test]
    fn nothing_after_a_nul() {
        assert!(!is_name(b"\0x"));
        assert!(!is_name(b"x\0y"));
        let mut last = array(b"x");
        last[63] = b'y';
        assert!(Name::new(last).is_none());
        last[63] = b'\n';
        assert!(Name::new(last).is_none());
    }

    #[test]
    fn from_bytes_up_to_a_nul() {
        let name = Name::from_bytes(b"foo\0 bar".iter().copied());
        assert!(name.is_some_and(|name| *name.as_bytes() == array(b"foo")));
        let name = Name::from_bytes(b"foo".iter().copied());
        assert!(name.is_some_and(|name| *name.as_bytes() == array(b"foo")));
        assert!(Name::from_bytes(b"\0foo".iter().copied()).is_none());
        assert!(Name::from_bytes(core::iter::empty()).is_none());
        assert!(Name::from_bytes(b"foo bar".iter().copied()).is_none());
    }

    #[test]
    fn from_bytes_of_any_length() {
        let repeat = |len| Name::from_bytes(core::iter::repeat(b'x').take(len));
        assert!(repeat(63).is_some_and(|name| *name.as_bytes() == array(&[b'x'; 63])));
        assert!(repeat(64).is_none());
        assert!(repeat(65).is_none());
        let mut taken = 0;
        let endless = core::iter::repeat(b'x').inspect(|_| taken += 1);
        assert!(Name::from_bytes(endless).is_none());
        assert_eq!(taken, LEN);
    }

    #[test]
    fn differ_in_any_byte() {
        let name = Name::new(array(&[b'x'; 63]));
        assert!(name == Name::new(array(&[b'x'; 63])));
        for at in 0..63 {
            let mut other = [b'x'; 63];
            other[at] = b'y';
            assert!(name != Name::new(array(&other)));
        }
        assert!(name != Name::new(array(&[b'x'; 62])));
    }

    #[test]
    fn hash_is_fnv_1a() {
        let hash = |text, seed| Name::new(array(text)).map(|name| name.hash(seed));
        // From the authors' test vectors.
        assert_eq!(hash(b"a", 0), Some(0xe40c_292c));
        assert_eq!(hash(b"foobar", 0), Some(0xbf9c_f968));
        assert!(hash(b"foobar", 1) != hash(b"foobar", 0));
    }
}
