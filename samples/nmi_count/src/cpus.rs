// SPDX-License-Identifier: GPL-2.0

//! The CPUs that this process, or one of its threads, may use.

use bpf_percpu::cpu_list::CpuList;
use std::io;

/// The number of bits in a CPU mask.
const MAX_CPUS: usize = 8192;

/// The online CPUs that this process may use.
pub fn allowed() -> io::Result<CpuList> {
    let mut mask = [0u64; MAX_CPUS / 64];
    // SAFETY: The mask is valid for the call.
    match unsafe { libc::sched_getaffinity(0, size_of_val(&mask), mask.as_mut_ptr().cast()) } {
        0 => Ok(CpuList::from_bitmap(&mask)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Binds the calling thread to a CPU that others are bound to. If the CPU has gone offline, this
/// does nothing.
pub fn stay_on(cpu: u32) {
    let mut mask = [0u64; MAX_CPUS / 64];
    mask[cpu as usize / 64] |= 1 << (cpu % 64);
    // SAFETY: The mask is valid for the call.
    unsafe { libc::sched_setaffinity(0, size_of_val(&mask), mask.as_ptr().cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn there_is_a_cpu_to_run_on() {
        let cpus = allowed().unwrap();
        assert!(!cpus.is_empty());
        let parallelism = thread::available_parallelism().unwrap().get();
        assert!(cpus.len() >= parallelism, "{cpus} {parallelism}");
    }

    #[test]
    fn a_thread_stays_where_it_is_put() {
        let cpus = allowed().unwrap();
        let last = cpus.last().unwrap();
        let seen = thread::spawn(move || {
            stay_on(last);
            allowed().unwrap().to_string()
        });
        assert_eq!(seen.join().unwrap(), last.to_string());
        assert_eq!(allowed().unwrap(), cpus, "it is the thread's alone");
    }
}
