// SPDX-License-Identifier: GPL-2.0

//! Waiting that the kernel takes for waiting for IO, with no disk.

use std::time::Duration;

use io_uring::opcode::Timeout;
use io_uring::types::Timespec;
use io_uring::IoUring;

/// Whether there is io_uring.
pub fn is_possible() -> bool {
    IoUring::new(1).is_ok()
}

/// Waits for a request of io_uring, which is a timer's: any request counts as IO while a task waits
/// for it.
pub fn wait(time: Duration) {
    let mut ring = IoUring::new(1).expect("a ring");
    let time = Timespec::from(time);
    let request = Timeout::new(&time).build();
    // SAFETY: The time is there until the request is done, which the next line waits for.
    unsafe { ring.submission().push(&request) }.expect("room for one");
    ring.submit_and_wait(1).expect("the kernel takes it");
}
