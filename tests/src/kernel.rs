// SPDX-License-Identifier: GPL-2.0

//! Which kernel runs.

use std::fs;

/// Whether this is the debug kernel, on which everything takes several times as long.
#[must_use]
pub fn is_debug() -> bool {
    release().ends_with("-debug")
}

fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    release.trim().to_string()
}

/// Whether the kernel is `major.minor` or later.
#[must_use]
pub fn is_since(major: u32, minor: u32) -> bool {
    let release = release();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || match numbers.next() {
        Some(Ok(number)) => number,
        _ => panic!("strange release: {release}"),
    };
    (next(), next()) >= (major, minor)
}
