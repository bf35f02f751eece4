// SPDX-License-Identifier: GPL-2.0

//! Parsing of numbers, and numbers in stores.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// The type of a number in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// 4 bytes.
    U32 = 4,
    /// 8 bytes.
    U64 = 8,
}

impl Word {
    /// Its size in bytes.
    pub fn width(self) -> u32 {
        self as u32
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::U32 => "u32",
            Self::U64 => "u64",
        }
    }

    /// The largest value.
    pub fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.width())
    }

    /// The values in `bytes`, and the bytes that are left over.
    pub fn split(self, bytes: &[u8]) -> (Vec<u64>, &[u8]) {
        let width = self.width() as usize;
        let chunks = bytes.chunks_exact(width);
        let rest = chunks.remainder();
        let values = chunks.map(|chunk| {
            let mut value = [0; 8];
            value[..width].copy_from_slice(chunk);
            u64::from_le_bytes(value)
        });
        (values.collect(), rest)
    }

    /// The bytes of a value, if it fits.
    pub fn bytes(self, value: u64) -> Option<Vec<u8>> {
        (value <= self.max()).then(|| value.to_le_bytes()[..self.width() as usize].to_vec())
    }

    /// The sum of the values, which wraps like a counter of this width.
    pub fn sum(self, values: impl IntoIterator<Item = u64>) -> u64 {
        values.into_iter().fold(0, u64::wrapping_add) & self.max()
    }

    /// The growth from `before` to `after`. It is negative if the counter decreased by less than
    /// half of its range.
    pub fn growth(self, before: u64, after: u64) -> i64 {
        let growth = after.wrapping_sub(before);
        match self {
            Self::U32 => i64::from(growth as u32 as i32),
            Self::U64 => growth as i64,
        }
    }
}

impl FromStr for Word {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let mut all = [Self::U32, Self::U64].into_iter();
        all.find(|word| word.name() == name)
            .with_context(|| format!("'{name}' is not u32 or u64"))
    }
}

/// A decimal number, or a hexadecimal one after `0x`.
pub fn parse_u64(text: &str) -> Result<u64, String> {
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err("not a decimal number or 0x and a hexadecimal one".to_string());
    }
    u64::from_str_radix(digits, radix).map_err(|_| format!("larger than {}", u64::MAX))
}

/// The same, but at most 32 bits.
pub fn parse_u32(text: &str) -> Result<u32, String> {
    let number = parse_u64(text)?;
    u32::try_from(number).map_err(|_| format!("larger than {}", u32::MAX))
}

/// A time in seconds.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.01..=86400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "not a number of seconds from 0.01 to 86400".to_string())
}

/// The same, but `K` after the number means KiB.
pub fn parse_size(text: &str) -> Result<u32, String> {
    let Some(kib) = text.strip_suffix(['K', 'k']) else {
        return parse_u32(text);
    };
    parse_u32(kib)?
        .checked_mul(1024)
        .ok_or_else(|| format!("larger than {}", u32::MAX))
}

/// Bytes as pairs of hexadecimal digits, optionally after `0x`.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).chars();
    let digits: Option<Vec<u32>> = digits.map(|c| c.to_digit(16)).collect();
    match digits {
        Some(digits) if !digits.is_empty() && digits.len() % 2 == 0 => {
            let pairs = digits.chunks_exact(2);
            Ok(pairs.map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
        }
        _ => Err("not pairs of hexadecimal digits, one pair a byte".to_string()),
    }
}

/// Formats bytes as pairs of hexadecimal digits, separated by `between`.
pub fn hex(bytes: &[u8], between: &str) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0),
            ("42", 42),
            ("007", 7),
            ("0x2a", 42),
            ("0XFF", 255),
            ("18446744073709551615", u64::MAX),
            ("0xffffffffffffffff", u64::MAX),
        ] {
            assert_eq!(parse_u64(text), Ok(value), "{text}");
        }
        let (large, larger) = ("18446744073709551616", "0x10000000000000000");
        for text in [
            "", "x", "0x", "-1", "+1", "0x-1", "1 ", "1.5", "ff", large, larger,
        ] {
            assert!(parse_u64(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, value) in [
            ("1", 1),
            ("4K", 4096),
            ("0x10k", 16384),
            ("4294967295", u32::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(value), "{text}");
        }
        for text in ["K", "4M", "4KB", "4294967296", "4194304K", "-4K"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hexadecimal_bytes() {
        assert_eq!(parse_hex("00fF10"), Ok(vec![0, 255, 16]));
        assert_eq!(parse_hex("0x01"), Ok(vec![1]));
        for text in ["", "0x", "1", "0g", "+1", "001", "ää"] {
            assert!(parse_hex(text).is_err(), "{text}");
        }
        assert_eq!(hex(&[0, 255], " "), "00 ff");
    }

    #[test]
    fn values_and_the_rest() {
        let bytes: Vec<u8> = (1..=13).collect();
        let (values, rest) = Word::U64.split(&bytes);
        assert_eq!(values, [0x0807_0605_0403_0201]);
        assert_eq!(rest, [9, 10, 11, 12, 13]);
        let (values, rest) = Word::U32.split(&bytes);
        assert_eq!(values, [0x0403_0201, 0x0807_0605, 0x0c0b_0a09]);
        assert_eq!(rest, [13]);
    }

    #[test]
    fn names() {
        for word in [Word::U32, Word::U64] {
            assert_eq!(word.name().parse::<Word>().unwrap(), word);
        }
        assert!("hex".parse::<Word>().is_err());
    }

    #[test]
    fn values_must_fit() {
        assert_eq!(Word::U32.bytes(0x0102), Some(vec![2, 1, 0, 0]));
        assert_eq!(Word::U32.bytes(1 << 32), None);
        assert_eq!(Word::U64.bytes(u64::MAX), Some(vec![255; 8]));
    }

    #[test]
    fn sums_and_growth_wrap_with_the_width() {
        assert_eq!(Word::U32.sum([u32::MAX.into(), 3]), 2);
        assert_eq!(Word::U64.sum([u64::MAX, 3]), 2);
        assert_eq!(Word::U32.growth(u32::MAX.into(), 2), 3);
        assert_eq!(Word::U32.growth(2, u32::MAX.into()), -3);
        assert_eq!(Word::U64.growth(u64::MAX, 2), 3);
        assert_eq!(Word::U64.growth(10, 4), -6);
    }
}
