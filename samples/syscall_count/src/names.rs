// SPDX-License-Identifier: GPL-2.0

//! The names of system calls.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

/// Numbers and names from the headers that this program was built with.
const NAMES: &[(u32, &str)] = include!(concat!(env!("OUT_DIR"), "/names.rs"));

static BY_NUMBER: LazyLock<HashMap<u32, &str>> = LazyLock::new(|| NAMES.iter().copied().collect());

/// The name of a system call, or its number if the headers do not have it.
pub fn name(number: u32) -> Cow<'static, str> {
    match BY_NUMBER.get(&number) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("number {number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_c_library() {
        for (number, expected) in [
            (libc::SYS_read, "read"),
            (libc::SYS_getppid, "getppid"),
            (libc::SYS_openat2, "openat2"),
        ] {
            assert_eq!(name(number as u32), expected);
        }
        assert_eq!(name(511), "number 511");
        assert!(NAMES.len() > 300, "{}", NAMES.len());
    }
}
