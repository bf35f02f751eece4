// SPDX-License-Identifier: GPL-2.0

//! Protection of measurements from disturbance, and clocks.

use std::fs;
use std::io;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

const PRIORITY: i32 = 50;

/// Gives this process and its children a higher priority than everything else on its CPU,
/// permanently.
pub fn become_undisturbed() -> Result<()> {
    let limit = "/proc/sys/kernel/sched_rt_runtime_us";
    fs::write(limit, "-1").with_context(|| format!("{limit} cannot be written"))?;
    let param = libc::sched_param {
        sched_priority: PRIORITY,
    };
    // SAFETY: The parameter points to a local variable.
    let ret = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
    ensure!(
        ret == 0,
        "SCHED_FIFO cannot be had: {}: run this as root",
        io::Error::last_os_error()
    );
    Ok(())
}

/// Nanoseconds since an arbitrary point in time.
pub fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds that this thread has run, without the time that it slept.
pub fn thread_time() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Nanoseconds that this process's children have run, for those that it has waited for. In whole
/// microseconds.
pub fn children_time() -> u64 {
    // SAFETY: All zeroes is a valid value of the type, which has only integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: The pointer is to a local variable. The call fails for other arguments only.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    [usage.ru_utime, usage.ru_stime]
        .iter()
        .map(|time| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000)
        .sum()
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: The pointer is to a local variable. The call fails for other clocks only.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The minimum by which `clock` advances in one of `times` calls of `work`, less the cost of an
/// empty call.
pub fn least<E>(
    clock: fn() -> u64,
    times: u32,
    mut work: impl FnMut() -> Result<(), E>,
) -> Result<f64, E> {
    let mut least = u64::MAX;
    let mut empty = u64::MAX;
    for _ in 0..times {
        let start = clock();
        empty = empty.min(clock() - start);
        let start = clock();
        work()?;
        least = least.min(clock() - start);
    }
    Ok(least.saturating_sub(empty) as f64)
}
