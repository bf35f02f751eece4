// SPDX-License-Identifier: GPL-2.0

//! Making a task wait for IO without a disk.

use std::time::Duration;

use io_uring::opcode::Timeout;
use io_uring::types::Timespec;
use io_uring::IoUring;

/// Whether the kernel has io_uring.
pub fn is_possible() -> bool {
    IoUring::new(1).is_ok()
}

/// Waits for a timer of io_uring. The kernel counts a wait for any request as IO.
pub fn wait(time: Duration) {
    let mut ring = IoUring::new(1).expect("a ring");
    let time = Timespec::from(time);
    let request = Timeout::new(&time).build();
    // SAFETY: `time` lives until the request is done, which the next line waits for.
    unsafe { ring.submission().push(&request) }.expect("room for one");
    ring.submit_and_wait(1).expect("the kernel takes it");
}
