// SPDX-License-Identifier: GPL-2.0

//! The loader in C, `load.c`.

use std::ffi::c_int;
use std::io::Error;
use std::io::Result;

extern "C" {
    fn examples_load(packets_in: c_int, cpu: c_int, packets_out: *mut u64) -> c_int;
}

/// Loads `count.lowered.o` or `count.native.o` from the current directory, and runs it on the current
/// CPU, which is `cpu`. Returns its count.
///
/// # Errors
///
/// Returns the errors of the files, the program and its variables.
pub fn run(packets: u16, cpu: u32) -> Result<u64> {
    let mut counted = 0;
    // SAFETY: The pointer is valid for the call.
    let err = unsafe { examples_load(packets.into(), cpu as c_int, &mut counted) };
    match err {
        0 => Ok(counted),
        _ => Err(Error::from_raw_os_error(-err)),
    }
}
