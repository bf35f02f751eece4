// SPDX-License-Identifier: GPL-2.0

//! The control file in C, `control.c`.

use std::ffi::c_long;
use std::io::Error;
use std::io::Result;

extern "C" {
    fn control_example() -> c_long;
}

/// Creates a store in which each CPU has 5, but CPU 0 has 7. Returns the sum.
///
/// # Errors
///
/// Those of the calls.
pub fn run() -> Result<u64> {
    // SAFETY: It takes nothing.
    let total = unsafe { control_example() };
    u64::try_from(total).map_err(|_| Error::from_raw_os_error(-total as i32))
}
