// SPDX-License-Identifier: GPL-2.0

//! What makes attached programs run.

use std::fs;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

/// Makes a system call that a program may wait for.
pub fn trigger() {
    // SAFETY: getpgid() has no requirements.
    unsafe { libc::getpgid(0) };
    fs::read_to_string("/proc/self/stat").expect("a file to open");
}

/// An event each millisecond of CPU time of this thread.
pub fn cpu_clock() -> OwnedFd {
    const PERF_TYPE_SOFTWARE: u64 = 1;
    const PERF_ATTR_SIZE_VER5: u64 = 112;
    // struct perf_event_attr: type and size, config (PERF_COUNT_SW_CPU_CLOCK), sample_period.
    let mut attr = [0_u64; 14];
    attr[0] = PERF_TYPE_SOFTWARE | (PERF_ATTR_SIZE_VER5 << 32);
    attr[2] = 1_000_000;
    // SAFETY: `attr` is valid for the call and as large as it says.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &attr, 0, -1, -1, 0) };
    assert!(
        fd >= 0,
        "perf_event_open: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: The call returned a new file descriptor.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}
