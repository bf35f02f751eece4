// SPDX-License-Identifier: GPL-2.0

//! Threads that run a BPF program and count how often they do.

use crate::cpus::stay_on;
use anyhow::{ensure, Context, Result};
use bpf_percpu::cpu_list::CpuList;
use libbpf_rs::libbpf_sys;
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        Arc,
    },
    thread::{self, JoinHandle},
};

/// The number of adds in one run of the program.
pub const ADDS_PER_RUN: u32 = 256;

/// How often a thread runs the program before it yields.
const RUNS_PER_TURN: u64 = 256;

/// Threads that run the program until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<u64>>>,
}

impl Load {
    /// Starts this many threads on each of these CPUs.
    pub fn start(program: OwnedFd, cpus: &CpuList, threads_per_cpu: u32) -> Result<Self> {
        let program = Arc::new(program);
        let mut load = Self {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for cpu in cpus.iter() {
            for _ in 0..threads_per_cpu {
                let (program, stop) = (program.clone(), load.stop.clone());
                let thread = thread::Builder::new().spawn(move || {
                    stay_on(cpu);
                    come_last();
                    count_runs(&stop, || run(&program))
                });
                load.threads
                    .push(thread.context("a thread cannot be started")?);
            }
        }
        Ok(load)
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Stops the threads, and returns how often they have added.
    pub fn stop(mut self) -> Result<u64> {
        self.stop.store(true, Relaxed);
        let mut runs = 0;
        for thread in self.threads.drain(..) {
            let made = thread.join();
            runs += made.map_err(|_| anyhow::anyhow!("a thread of the load has panicked"))??;
        }
        ensure!(runs > 0, "no thread ran the program: give it more time");
        Ok(runs * u64::from(ADDS_PER_RUN))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // The thread has already reported its error.
            let _ = thread.join();
        }
    }
}

/// Calls `run` until it is told to stop, and returns how often.
fn count_runs(stop: &AtomicBool, mut run: impl FnMut() -> Result<()>) -> Result<u64> {
    let mut runs = 0;
    while !stop.load(Relaxed) {
        run()?;
        runs += 1;
        // A task that was preempted in the program and then is alone on a CPU that goes offline
        // stays there until it enters the scheduler, and the CPU waits for it.
        if runs % RUNS_PER_TURN == 0 {
            thread::yield_now();
        }
    }
    Ok(runs)
}

/// Runs the program once.
fn run(program: &OwnedFd) -> Result<()> {
    let mut opts = libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    // SAFETY: The options are valid for the call, and as large as they say.
    let ret = unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut opts) };
    if ret != 0 {
        return Err(io::Error::from_raw_os_error(-ret)).context("the BPF program cannot be run");
    }
    ensure!(
        opts.retval == 0,
        "the BPF program found no store: it returned {}",
        opts.retval as i32
    );
    Ok(())
}

/// Gives the calling thread the lowest priority. If that is not permitted, it does nothing.
fn come_last() {
    // SAFETY: The call has no pointers. The process id 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn runs_are_counted_until_the_end() {
        let stop = AtomicBool::new(false);
        let made = Cell::new(0);
        let run = || {
            made.set(made.get() + 1);
            stop.store(made.get() == 5, Relaxed);
            Ok(())
        };
        assert_eq!(count_runs(&stop, run).unwrap(), 5);
        // It has already been stopped.
        assert_eq!(count_runs(&stop, || unreachable!()).unwrap(), 0);
    }

    #[test]
    fn errors_end_it() {
        let stop = AtomicBool::new(false);
        let error = count_runs(&stop, || anyhow::bail!("no store")).unwrap_err();
        assert_eq!(error.to_string(), "no store");
    }
}
