// SPDX-License-Identifier: GPL-2.0

//! Which kernel runs, for what differs from series to series.

use std::fs;

/// The kernel is our own debug build, which takes several times as long.
#[must_use]
pub fn is_debug() -> bool {
    release().ends_with("-debug")
}

fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    release.trim().to_string()
}

/// The kernel is of series `major.minor`, or a later one.
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
