// SPDX-License-Identifier: GPL-2.0

//! Messages of the kernel's log about tasks whose CPUs went offline while they ran. Nothing else
//! records which CPUs they were pinned to.

use crate::task::Task;
use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
};

const LOG: &str = "/dev/kmsg";
/// Larger than any record of the log.
const RECORD: usize = 16 << 10;
/// The log's clock differs from the clock of start times.
const SKEW_NS: u64 = 2_000_000_000;

/// A task that the kernel has moved off the CPUs that it was pinned to.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// The thread id.
    pub tid: i32,
    /// Its name.
    pub comm: String,
    /// The CPU that it ran on.
    pub cpu: u32,
    /// The time, in ns since boot.
    pub at_ns: u64,
}

impl Moved {
    /// Whether it is this task, and not an earlier one with the same id.
    pub fn is(&self, task: &Task) -> bool {
        self.tid == task.tid
            && self.comm == task.comm
            && task.started <= self.at_ns.saturating_add(SKEW_NS)
    }
}

/// Reads the tasks from the log, as far back as it goes.
pub fn moved() -> io::Result<Vec<Moved>> {
    let mut log = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(LOG)?;
    let mut moved = Vec::new();
    let mut record = [0; RECORD];
    loop {
        match log.read(&mut record) {
            Ok(0) => return Ok(moved),
            Ok(len) => moved.extend(parse(&String::from_utf8_lossy(&record[..len]))),
            Err(error) => match error.raw_os_error() {
                // The end of the log.
                Some(libc::EAGAIN) => return Ok(moved),
                // The record was overwritten. The next read returns the oldest one that is left.
                Some(libc::EPIPE) | Some(libc::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
}

/// A record is "priority,number,µs,flags;text".
fn parse(record: &str) -> Option<Moved> {
    let (head, text) = record.split_once(';')?;
    let us: u64 = head.split(',').nth(2)?.parse().ok()?;
    let text = text.lines().next()?.strip_prefix("process ")?;
    let (tid, text) = text.split_once(" (")?;
    // A name may have parentheses.
    let (comm, cpu) = text.rsplit_once(") no longer affine to cpu")?;
    Some(Moved {
        tid: tid.parse().ok()?,
        comm: comm.to_string(),
        cpu: cpu.trim().parse().ok()?,
        at_ns: us.saturating_mul(1000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::task;

    #[test]
    fn records() {
        let moved = parse("4,812,5140900,-;process 123 (a (b) c) no longer affine to cpu3\n");
        let moved = moved.unwrap();
        assert_eq!((moved.tid, moved.cpu), (123, 3));
        assert_eq!(moved.comm, "a (b) c");
        assert_eq!(moved.at_ns, 5_140_900_000);
        for record in [
            "",
            "6,1,2,-;process x",
            "6,1,2,-;process 1 (x) no longer affine to cpu\n",
            "6,1,2,-;smpboot: CPU 3 is now offline\n",
            "process 1 (x) no longer affine to cpu3",
        ] {
            assert_eq!(parse(record), None, "{record}");
        }
    }

    #[test]
    fn numbers_are_used_again() {
        let moved = parse("4,1,5000000,-;process 10 () no longer affine to cpu3").unwrap();
        let mut task = task("0-3", None);
        task.started = 1_000_000_000;
        assert!(moved.is(&task));
        task.started = 20_000_000_000;
        assert!(!moved.is(&task));
    }
}
