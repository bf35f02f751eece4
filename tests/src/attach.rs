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

/// An event each time that `cpu` comes to the kernel's instruction at `addr`, before it is done.
pub fn breakpoint(cpu: u32, addr: u64) -> OwnedFd {
    const PERF_TYPE_BREAKPOINT: u64 = 5;
    const PERF_ATTR_SIZE_VER1: u64 = 72;
    const HW_BREAKPOINT_X: u64 = 4;
    // struct perf_event_attr: type and size, sample_period, bp_type, bp_addr, bp_len.
    let mut attr = [0_u64; 9];
    attr[0] = PERF_TYPE_BREAKPOINT | (PERF_ATTR_SIZE_VER1 << 32);
    attr[2] = 1;
    attr[6] = HW_BREAKPOINT_X << 32;
    attr[7] = addr;
    attr[8] = size_of::<usize>() as u64;
    // SAFETY: `attr` is valid for the call and as large as it says.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &attr, -1, cpu, -1, 0) };
    assert!(
        fd >= 0,
        "perf_event_open: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: The call returned a new file descriptor.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}
