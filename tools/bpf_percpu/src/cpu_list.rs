// SPDX-License-Identifier: GPL-2.0

//! Sets of CPUs, in the kernel's notation.

use anyhow::{ensure, Context, Error, Result};
use std::{
    collections::{btree_set, BTreeSet},
    fmt,
    str::FromStr,
};

/// More CPUs than any kernel has. A list with a higher number is invalid.
const MAX_CPUS: u32 = 1 << 16;

/// A set of CPUs, formatted as the kernel does: `0-3,5`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuList(BTreeSet<u32>);

impl CpuList {
    /// The CPUs whose bits are set: bit 0 of the first word is CPU 0.
    pub fn from_bitmap(words: &[u64]) -> Self {
        let is_set = |cpu: &u32| (words[(cpu / u64::BITS) as usize] >> (cpu % u64::BITS)) & 1 == 1;
        let cpus = 0..words.len() as u32 * u64::BITS;
        cpus.filter(is_set).collect()
    }

    /// The number of CPUs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no CPU.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The highest CPU.
    pub fn last(&self) -> Option<u32> {
        self.0.last().copied()
    }

    /// Whether the set contains `cpu`.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// The CPUs that are in both sets.
    pub fn both(&self, other: &Self) -> Self {
        Self(&self.0 & &other.0)
    }

    /// The CPUs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// The CPUs that are not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }
}

impl FromIterator<u32> for CpuList {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

impl IntoIterator for CpuList {
    type Item = u32;
    type IntoIter = btree_set::IntoIter<u32>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromStr for CpuList {
    type Err = Error;

    fn from_str(list: &str) -> Result<Self> {
        let mut cpus = BTreeSet::new();
        for range in list.split(',').filter(|_| !list.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (cpu(first)?, cpu(last)?);
            ensure!(first <= last, "'{range}' is not ascending");
            cpus.extend(first..=last);
        }
        Ok(Self(cpus))
    }
}

fn cpu(number: &str) -> Result<u32> {
    let cpu = number.parse();
    let cpu = cpu.with_context(|| format!("'{number}' is not the number of a CPU"))?;
    ensure!(cpu < MAX_CPUS, "{cpu} is too large for the number of a CPU");
    Ok(cpu)
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpus: Vec<u32> = self.iter().collect();
        for (i, range) in cpus.chunk_by(|cpu, next| cpu + 1 == *next).enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{}", range[0])?;
            if let [_, .., last] = range {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for CpuList {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_they_were_read() {
        for list in ["", "0", "5", "0-3", "0-1", "0-3,5", "1,3,5-7,64-8191"] {
            assert_eq!(list.parse::<CpuList>().unwrap().to_string(), list);
        }
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let list: CpuList = "4,0-1,2-3,3".parse().unwrap();
        assert_eq!(list.to_string(), "0-4");
        assert_eq!(list.len(), 5);
        assert_eq!(list.last(), Some(4));
    }

    #[test]
    fn broken_lists_are_refused_with_the_value() {
        for (list, value) in [
            ("x", "'x'"),
            ("0-3,", "''"),
            ("-1", "''"),
            ("3-0", "'3-0'"),
            ("0-4294967295", "4294967295"),
            ("4294967296", "'4294967296'"),
            ("0 1", "'0 1'"),
        ] {
            let error = list.parse::<CpuList>().unwrap_err().to_string();
            assert!(error.contains(value), "{list}: {error}");
        }
    }

    #[test]
    fn bitmaps() {
        assert!(CpuList::from_bitmap(&[0, 0]).is_empty());
        assert_eq!(CpuList::from_bitmap(&[]).last(), None);
        let list = CpuList::from_bitmap(&[(1 << 63) | 0b1011, 0b11, 1 << 63]);
        assert_eq!(list.to_string(), "0-1,3,63-65,191");
    }

    #[test]
    fn differences() {
        let (a, b): (CpuList, CpuList) = ("0-5".parse().unwrap(), "4-9".parse().unwrap());
        assert_eq!(a.without(&b).to_string(), "0-3");
        assert_eq!(b.without(&a).to_string(), "6-9");
        assert!(a.without(&a).is_empty());
    }
}
