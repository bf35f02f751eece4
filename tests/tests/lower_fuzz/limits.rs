// SPDX-License-Identifier: GPL-2.0

//! Limits on the resources of a call. A process that exceeds them is ended by a signal or aborts.

use std::io;
use std::ptr;

/// The address space of the process, in bytes.
const MEMORY: u64 = 1 << 30;
/// The CPU time of one call.
const SECONDS: i64 = 2;

/// Limits the memory of this process from now on.
pub fn limit_memory() -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: MEMORY,
        rlim_max: MEMORY,
    };
    // SAFETY: `limit` is valid for the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes `SIGPROF` end this process if from now on it takes more CPU time than one call may.
pub fn restart_clock() -> io::Result<()> {
    let none = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let once = libc::itimerval {
        it_interval: none,
        it_value: libc::timeval {
            tv_sec: SECONDS,
            ..none
        },
    };
    // SAFETY: `once` is valid for the call, and the other pointer is NULL, which the call allows.
    match unsafe { libc::setitimer(libc::ITIMER_PROF, &once, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
