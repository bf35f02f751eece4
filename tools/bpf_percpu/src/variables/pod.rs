// SPDX-License-Identifier: GPL-2.0

//! Plain values, of which any bytes are valid, and bitfields in the little-endian layout.

use std::fmt;
use std::slice;

/// Types for which any bytes are a valid value, and that have no padding.
///
/// # Safety
///
/// Any bytes of its size are a valid value of the type, and it has no padding.
pub unsafe trait Pod: Copy + 'static {}

macro_rules! pod {
    ($($number:ty)*) => {
        $(
            // SAFETY: Any bytes are a valid integer, and integers have no padding.
            unsafe impl Pod for $number {}
        )*
    };
}

pod!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

// SAFETY: Any bytes are valid elements, and there is no padding between elements.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// Bytes without a meaning. All values are equal.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Pad<const N: usize>([u8; N]);

// SAFETY: Any bytes are valid `u8`s.
unsafe impl<const N: usize> Pod for Pad<N> {}

impl<const N: usize> Default for Pad<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> PartialEq for Pad<N> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<const N: usize> Eq for Pad<N> {}

impl<const N: usize> fmt::Debug for Pad<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }
}

/// Returns the value whose bytes are all zero.
#[must_use]
pub fn zeroed<T: Pod>() -> T {
    // SAFETY: Any bytes are a valid value, also zeroes.
    unsafe { std::mem::zeroed() }
}

/// Returns the bytes of a value.
#[must_use]
pub fn bytes_of<T: Pod>(value: &T) -> &[u8] {
    // SAFETY: There is no padding, so all bytes are initialized.
    unsafe { slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}

/// Returns the bytes of a value for writing.
#[must_use]
pub fn bytes_of_mut<T: Pod>(value: &mut T) -> &mut [u8] {
    // SAFETY: There is no padding, so all bytes are initialized, and any bytes are a valid value.
    unsafe { slice::from_raw_parts_mut((&raw mut *value).cast(), size_of::<T>()) }
}

/// Reads a value from the start of some bytes. Missing bytes are zero.
#[must_use]
pub fn first<T: Pod>(bytes: &[u8]) -> T {
    let mut value = zeroed();
    copy(bytes_of_mut(&mut value), bytes);
    value
}

/// Writes a value to the start of some bytes, as far as they go.
pub fn set_first<T: Pod>(bytes: &mut [u8], value: &T) {
    copy(bytes, bytes_of(value));
}

/// Copies as many bytes as both have.
pub(super) fn copy(to: &mut [u8], from: &[u8]) {
    let len = to.len().min(from.len());
    to[..len].copy_from_slice(&from[..len]);
}

/// Reads a value that may be too large for the stack.
pub(super) fn boxed<T: Pod>(bytes: &[u8]) -> Box<T> {
    let mut value = Box::<T>::new_uninit();
    // SAFETY: Any bytes are a valid value, also zeroes.
    let mut value = unsafe {
        value.as_mut_ptr().write_bytes(0, 1);
        value.assume_init()
    };
    copy(bytes_of_mut(&mut *value), bytes);
    value
}

/// Reads a number of `width` bits, up to 128, from bit `first` on. Missing bits are zero.
#[must_use]
pub fn bits(bytes: &[u8], first: usize, width: usize) -> u128 {
    let bit = |nth: usize| {
        let byte = bytes.get((first + nth) / 8).copied().unwrap_or(0);
        u128::from((byte >> ((first + nth) % 8)) & 1) << nth
    };
    (0..width.min(128)).map(bit).sum()
}

/// Like [`bits`], but the highest bit is the sign.
#[must_use]
pub fn signed_bits(bytes: &[u8], first: usize, width: usize) -> i128 {
    let unused = 128 - width.clamp(1, 128);
    (bits(bytes, first, width) << unused) as i128 >> unused
}

/// Writes the low bits of a number. Missing bits are not written.
pub fn set_bits(bytes: &mut [u8], first: usize, width: usize, value: u128) {
    for nth in 0..width.min(128) {
        if let Some(byte) = bytes.get_mut((first + nth) / 8) {
            let mask = 1 << ((first + nth) % 8);
            match (value >> nth) & 1 {
                0 => *byte &= !mask,
                _ => *byte |= mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_bytes() {
        let mut value = [1u16, 0x203];
        assert_eq!(bytes_of(&value), [1, 0, 3, 2]);
        bytes_of_mut(&mut value)[1] = 4;
        assert_eq!(value, [0x401, 0x203]);
        assert_eq!(first::<u32>(&[1, 2, 3, 4, 5]), 0x0403_0201);
        assert_eq!(first::<u32>(&[1]), 1);
        let mut bytes = [0; 3];
        set_first(&mut bytes, &0x0102_0304u32);
        assert_eq!(bytes, [4, 3, 2]);
        assert_eq!(*boxed::<[u64; 2]>(&[7]), [7, 0]);
    }

    #[test]
    fn padding_is_equal() {
        let (one, other): (Pad<2>, Pad<2>) = (first(&[1, 2]), zeroed());
        assert_eq!(one, other);
        assert_eq!(bytes_of(&one), [1, 2]);
        assert_eq!(format!("{one:?}"), "2 bytes");
    }

    #[test]
    fn what_is_written_is_read() {
        for (first, width) in [(0, 1), (3, 5), (5, 7), (0, 32), (7, 64), (4, 128)] {
            let mut bytes = [0xa5; 18];
            let before = bytes;
            let value = 0x1234_5678_9abc_def0_8765_4321_0fed_cba9u128;
            let mask = u128::MAX >> (128 - width);
            set_bits(&mut bytes, first, width, value);
            assert_eq!(bits(&bytes, first, width), value & mask, "{first} {width}");
            let end = first + width;
            for bit in (0..first).chain(end..8 * bytes.len()) {
                assert_eq!(bits(&bytes, bit, 1), bits(&before, bit, 1), "{bit}");
            }
        }
    }

    #[test]
    fn signs() {
        let mut bytes = [0; 2];
        for value in [-4i32, -1, 0, 3] {
            set_bits(&mut bytes, 6, 3, value as u128);
            assert_eq!(signed_bits(&bytes, 6, 3), value.into());
        }
        assert_eq!(signed_bits(&[0xff; 16], 0, 128), -1);
        assert_eq!(signed_bits(&[], 0, 3), 0);
    }

    #[test]
    fn past_the_end() {
        let mut bytes = [0];
        set_bits(&mut bytes, 4, 64, u128::MAX);
        assert_eq!(bytes, [0xf0]);
        assert_eq!(bits(&bytes, 4, 64), 15);
    }
}
