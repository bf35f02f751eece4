// SPDX-License-Identifier: GPL-2.0

//! The control file in C, `control.c`.

use std::ffi::c_long;
use std::io::Error;
use std::io::Result;

extern "C" {
    fn control_example() -> c_long;
}

/// Creates a store in which CPU 0 has 7 and each other CPU has 5. Returns the sum.
///
/// # Errors
///
/// Returns the errors of the calls.
pub fn run() -> Result<u64> {
    // SAFETY: It takes no arguments and has no preconditions.
    let total = unsafe { control_example() };
    u64::try_from(total).map_err(|_| Error::from_raw_os_error(-total as i32))
}
