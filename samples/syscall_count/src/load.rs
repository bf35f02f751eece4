// SPDX-License-Identifier: GPL-2.0

//! A load of system calls that counts its calls.

use anyhow::{Context, Result};
use serde::Serialize;
use std::{
    fs::File,
    os::fd::AsRawFd,
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        Arc,
    },
    thread::{self, JoinHandle},
};

/// The calls of the load, and how many of each in a row.
const CALLS: [(libc::c_long, u64); 4] = [
    (libc::SYS_getppid, 8),
    (libc::SYS_read, 4),
    (libc::SYS_write, 2),
    (libc::SYS_sched_yield, 1),
];

/// Threads that make system calls until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

/// The number of calls that the load made, and the number that were counted.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The system call's number.
    #[serde(skip)]
    pub number: u32,
    /// By the load.
    pub made: u64,
    /// By the BPF program, which also counts calls of other processes.
    pub counted: u64,
}

impl Check {
    /// Whether calls were lost.
    pub fn is_wrong(&self) -> bool {
        self.counted < self.made
    }
}

impl Load {
    /// Starts one thread more than there are CPUs to run on, so that they preempt each other.
    pub fn start() -> Result<Self> {
        let zero = Arc::new(File::open("/dev/zero").context("/dev/zero cannot be opened")?);
        let null = File::options().write(true).open("/dev/null");
        let null = Arc::new(null.context("/dev/null cannot be opened")?);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = thread::available_parallelism().map_or(1, |cpus| cpus.get()) + 1;
        let threads = (0..threads)
            .map(|_| {
                let (stop, zero, null) = (stop.clone(), zero.clone(), null.clone());
                thread::spawn(move || make_calls(&stop, &zero, &null))
            })
            .collect();
        Ok(Self { stop, threads })
    }

    /// Stops the load.
    pub fn stop(self) -> Stopped {
        self.stop.store(true, Relaxed);
        let rounds = self
            .threads
            .into_iter()
            .filter_map(|thread| thread.join().ok());
        Stopped {
            rounds: rounds.sum(),
        }
    }
}

/// A load that has ended.
pub struct Stopped {
    rounds: u64,
}

impl Stopped {
    /// Compares the calls that were made with those that were counted.
    pub fn check(&self, counted: impl Fn(u32) -> u64) -> Vec<Check> {
        let check = |(number, in_a_row): (libc::c_long, u64)| Check {
            number: number as u32,
            made: self.rounds * in_a_row,
            counted: counted(number as u32),
        };
        CALLS.into_iter().map(check).collect()
    }
}

/// Makes calls until it is told to stop, and returns the number of rounds.
fn make_calls(stop: &AtomicBool, zero: &File, null: &File) -> u64 {
    let mut rounds = 0;
    let mut bytes = [0u8; 64];
    loop {
        for (number, in_a_row) in CALLS {
            let fd = match number {
                libc::SYS_read => zero.as_raw_fd(),
                _ => null.as_raw_fd(),
            };
            for _ in 0..in_a_row {
                // SAFETY: read() and write() get a file and a buffer of that length. The others
                // take no arguments.
                unsafe { libc::syscall(number, fd, bytes.as_mut_ptr(), bytes.len()) };
            }
        }
        rounds += 1;
        if stop.load(Relaxed) {
            break rounds;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_calls_are_seen() {
        let load = Load::start().unwrap();
        thread::sleep(std::time::Duration::from_millis(20));
        let stopped = load.stop();
        assert!(stopped.rounds > 0);
        let made = |number| {
            let (_, in_a_row) = CALLS.iter().find(|(n, _)| *n as u32 == number).unwrap();
            stopped.rounds * in_a_row
        };
        assert!(!stopped.check(made).iter().any(Check::is_wrong));
        assert!(!stopped.check(|n| made(n) + 1).iter().any(Check::is_wrong));
        assert!(stopped.check(|n| made(n) - 1).iter().all(Check::is_wrong));
    }
}
