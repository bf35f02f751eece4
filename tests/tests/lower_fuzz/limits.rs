// SPDX-License-Identifier: GPL-2.0

//! What a call may take: a signal or an abort ends the process that asks for more.

use std::io;
use std::ptr;

/// Of the process's address space.
const MEMORY: u64 = 1 << 30;
/// Of a CPU, for one call.
const SECONDS: i64 = 2;

/// Limits the memory of this process, from now on.
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

/// Ends this process by `SIGPROF` when it takes more time of a CPU than one call may, from now on.
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
    // SAFETY: `once` is valid for the call, which takes no other pointer.
    match unsafe { libc::setitimer(libc::ITIMER_PROF, &once, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
