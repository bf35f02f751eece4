// SPDX-License-Identifier: GPL-2.0

//! Bitfields, in the little-endian layout.

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
