// SPDX-License-Identifier: GPL-2.0

//! Perf events and real-time scheduling.

use std::io;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

const PERF_TYPE_SOFTWARE: u64 = 1;
const PERF_COUNT_SW_CPU_CLOCK: u64 = 0;

/// `struct perf_event_attr` of version 0: 64 bytes.
type Attr = [u64; 8];

const SIZE: u64 = (size_of::<Attr>() as u64) << 32;

fn open(attr: Attr, cpu: i32) -> OwnedFd {
    // SAFETY: `attr` is valid for the call and has the size that it says.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), -1, cpu, -1, 0) };
    assert!(fd >= 0, "perf_event_open: {}", io::Error::last_os_error());
    // SAFETY: The call returned a new file descriptor.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// An event every `period_ns` of the time of `cpu`, in hard interrupt context. A link takes the
/// descriptor over and closes it.
pub fn clock(cpu: i32, period_ns: u64) -> OwnedFd {
    let kind = PERF_TYPE_SOFTWARE | SIZE;
    open(
        [kind, PERF_COUNT_SW_CPU_CLOCK, period_ns, 0, 0, 0, 0, 0],
        cpu,
    )
}

/// Runs the calling thread at real-time priority.
pub fn real_time() {
    let param = libc::sched_param { sched_priority: 50 };
    // SAFETY: The struct is valid for the call.
    let ret = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
    assert_eq!(ret, 0, "sched_setscheduler: {}", io::Error::last_os_error());
}
