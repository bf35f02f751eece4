// SPDX-License-Identifier: GPL-2.0

//! The possible CPUs, whose numbers may have gaps.

use std::fs;
use std::io;

use crate::store::Error;
use crate::store::Result;

const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// More CPUs than any kernel has: a list that names a later one is broken.
const MAX_CPUS: u32 = 1 << 16;

/// The possible CPUs, ascending.
pub fn possible() -> Result<Vec<u32>> {
    let cpus_error = |cause| Error::Cpus {
        path: POSSIBLE,
        cause,
    };
    let text = fs::read_to_string(POSSIBLE).map_err(cpus_error)?;
    parse(text.trim()).ok_or_else(|| {
        cpus_error(io::Error::other(format!(
            "'{}' is not a list of CPUs",
            text.trim().escape_debug()
        )))
    })
}

/// The CPUs of a list like `0-3,5`.
fn parse(list: &str) -> Option<Vec<u32>> {
    let number = |text: &str| text.parse().ok().filter(|cpu: &u32| *cpu < MAX_CPUS);
    let mut cpus = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(number(first)?..=number(last)?);
    }
    Some(cpus).filter(|cpus| cpus.is_sorted_by(|a, b| a < b) && !cpus.is_empty())
}

/// Ascending CPUs as the kernel writes them: `0-3,5`.
pub fn list(cpus: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let text = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    text.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_they_were_read() {
        for text in ["0", "5", "0-3", "0-3,5", "1,3,5-7,64-8191"] {
            assert_eq!(list(&parse(text).unwrap()), text);
        }
    }

    #[test]
    fn broken_lists_are_refused() {
        for text in ["", "x", "0-3,", "-1", "3-0", "0-3,2", "0-4294967295", "0 1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
