// SPDX-License-Identifier: GPL-2.0

//! Events that interrupt a CPU repeatedly: `perf_event_open(2)`.

use anyhow::{ensure, Context, Result};
use bpf_percpu::cpu_list::CpuList;
use clap::ValueEnum;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{FromRawFd, OwnedFd},
    ptr,
};

const MAX_FREQUENCY: &str = "/proc/sys/kernel/perf_event_max_sample_rate";

/// The default frequency, if the kernel allows it.
const FREQUENCY: u64 = 2000;

/// The source that the user selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Cycles if the CPU can count them, otherwise the clock
    Auto,
    /// CPU cycles, whose samples are NMIs
    Cycles,
    /// A timer, whose samples are interrupts
    Clock,
    /// Nothing: threads only preempt each other
    None,
}

/// The event that samples a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Hardware cycles.
    Cycles,
    /// Software clock.
    CpuClock,
}

impl Event {
    /// Its name in perf.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::CpuClock => "cpu-clock",
        }
    }

    /// Type and config of `struct perf_event_attr`.
    fn number(self) -> (u64, u64) {
        match self {
            // PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES
            Self::Cycles => (0, 0),
            // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK
            Self::CpuClock => (1, 0),
        }
    }

    /// Opens the event on a CPU, for everything that runs there.
    fn open(self, cpu: u32, frequency: u64) -> io::Result<OwnedFd> {
        // The first version of struct perf_event_attr: type and size, config, frequency, ...,
        // flags.
        let mut attr = [0u64; 8];
        const FREQ: u64 = 1 << 10;
        const FD_CLOEXEC: libc::c_ulong = 8;
        let (kind, config) = self.number();
        attr[0] = kind | ((size_of_val(&attr) as u64) << 32);
        attr[1] = config;
        attr[2] = frequency;
        attr[5] = FREQ;
        let fd = retried(|| {
            // SAFETY: The struct is valid for the call, and as large as it says.
            unsafe {
                libc::syscall(
                    libc::SYS_perf_event_open,
                    attr.as_ptr(),
                    -1,
                    cpu,
                    -1,
                    FD_CLOEXEC,
                )
            }
        })?;
        // SAFETY: The file descriptor is new, and nothing else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }
}

fn retried(mut call: impl FnMut() -> libc::c_long) -> io::Result<libc::c_long> {
    loop {
        match call() {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => (),
                error => return Err(error),
            },
            value => return Ok(value),
        }
    }
}

/// An event on each CPU.
pub struct Events {
    /// Samples per second.
    pub frequency: u64,
    /// The events, with their CPUs.
    pub open: Vec<(u32, Event, OwnedFd)>,
}

impl Events {
    /// Opens the events of the source that the user selects, on these CPUs.
    pub fn open(source: Source, cpus: &CpuList, frequency: Option<u64>) -> Result<Self> {
        let mut events = Self {
            frequency: 0,
            open: Vec::new(),
        };
        if source == Source::None {
            return Ok(events);
        }
        let max = fs::read_to_string(MAX_FREQUENCY);
        let max = max.with_context(|| format!("{MAX_FREQUENCY} cannot be read"))?;
        events.frequency = allowed(frequency, &max)?;
        raise_file_limit();
        for cpu in cpus.iter() {
            if let Some((event, fd)) = open(source, cpu, events.frequency)? {
                events.open.push((cpu, event, fd));
            }
        }
        Ok(events)
    }
}

/// Opens the event of a CPU. Returns `None` if the CPU has gone offline.
fn open(source: Source, cpu: u32, frequency: u64) -> Result<Option<(Event, OwnedFd)>> {
    if source != Source::Clock {
        match Event::Cycles.open(cpu, frequency) {
            Ok(fd) => return Ok(Some((Event::Cycles, fd))),
            Err(_) if source == Source::Auto => (),
            Err(error) => {
                return Err(error).context(format!(
                    "the cycles of CPU {cpu} cannot be sampled: a virtual machine may have no \
                     counter for them; --source clock does without"
                ))
            }
        }
    }
    match Event::CpuClock.open(cpu, frequency) {
        Ok(fd) => Ok(Some((Event::CpuClock, fd))),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error).context(format!(
            "CPU {cpu} cannot be sampled {frequency} times a second"
        )),
    }
}

/// The frequency to use if the kernel's limit is `max`.
fn allowed(frequency: Option<u64>, max: &str) -> Result<u64> {
    let max = max.trim();
    let max: u64 = max
        .parse()
        .with_context(|| format!("{MAX_FREQUENCY} is no number: '{max}'"))?;
    ensure!(max > 0, "{MAX_FREQUENCY} is 0: the kernel takes no samples");
    let frequency = frequency.unwrap_or(FREQUENCY.min(max));
    ensure!(
        frequency <= max,
        "--frequency {frequency} is more than the kernel allows: {MAX_FREQUENCY} is {max}"
    );
    Ok(frequency)
}

/// Raises the file limit. Each CPU needs two files, which may be more than the usual 1024.
fn raise_file_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: The struct is valid for the calls. If they fail, opening an event reports it.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, ptr::from_ref(&limit));
        }
    }
}

/// Which CPUs an event samples.
pub fn by_event(events: &[(u32, Event)]) -> BTreeMap<Event, CpuList> {
    let of = |event| {
        let cpus = events.iter().filter(move |(_, e)| *e == event);
        CpuList::from_iter(cpus.map(|(cpu, _)| *cpu))
    };
    [Event::Cycles, Event::CpuClock]
        .map(|event| (event, of(event)))
        .into_iter()
        .filter(|(_, cpus)| !cpus.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_those_that_the_kernel_allows() {
        assert_eq!(allowed(None, "100000\n").unwrap(), FREQUENCY);
        assert_eq!(allowed(None, "900\n").unwrap(), 900);
        assert_eq!(allowed(Some(900), "900").unwrap(), 900);
        let error = allowed(Some(901), "900").unwrap_err().to_string();
        assert!(error.contains("901") && error.contains("900"), "{error}");
        let error = allowed(None, "0").unwrap_err().to_string();
        assert!(error.contains("no samples"), "{error}");
        assert!(allowed(None, "many").is_err());
    }

    #[test]
    fn cpus_are_listed_by_event() {
        let cpus = [(0, Event::Cycles), (1, Event::Cycles), (4, Event::CpuClock)];
        let sources = by_event(&cpus);
        assert_eq!(sources[&Event::Cycles].to_string(), "0-1");
        assert_eq!(sources[&Event::CpuClock].to_string(), "4");
        assert_eq!(by_event(&cpus[..2]).len(), 1);
    }
}
