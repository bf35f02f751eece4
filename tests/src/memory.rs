// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel uses, for the whole machine and for one control group.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use crate::cpus::soon;

/// A change of the charge that makes the kernel flush the counts of a control group, in bytes.
const MUCH: usize = 4 << 20;

/// How much `Percpu` may grow, in KiB, though all is freed: the kernel keeps empty pages and chunks
/// for later allocations, here up to 2 MiB. [`Group::is_free`] shows smaller leaks.
const KEPT: i64 = 2560;

/// A line of `/proc/meminfo`, in KiB.
pub fn meminfo(name: &str) -> i64 {
    let meminfo = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in /proc/meminfo"))
}

/// Makes the kernel drop its caches.
pub fn drop_caches() {
    // Bit 2 (4) keeps this out of the log, which is small.
    for what in ["4", "3"] {
        fs::write("/proc/sys/vm/drop_caches", what).expect("drop_caches");
    }
}

/// `Percpu` of `/proc/meminfo` once it is stable, in KiB.
#[must_use]
pub fn percpu() -> i64 {
    let mut last = None;
    let settled = soon(|| {
        drop_caches();
        thread::sleep(Duration::from_millis(300));
        last.replace(meminfo("Percpu")) == Some(meminfo("Percpu"))
    });
    assert!(settled, "Percpu goes on changing");
    last.expect("it was read")
}

/// Waits until `Percpu` is back at `before`, but for what the allocator keeps. False if it is not
/// in time.
#[must_use]
pub fn percpu_is_back(before: i64) -> bool {
    soon(|| {
        drop_caches();
        meminfo("Percpu") <= before + KEPT
    })
}

/// A control group that exists until this is dropped.
#[derive(Debug)]
pub struct Group(String);

impl Group {
    /// Creates a group of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let path = format!("/sys/fs/cgroup/{name}");
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory").expect("memory is counted");
        fs::create_dir(&path).expect("a new group");
        Self(path)
    }

    /// Creates a group whose tasks run on these CPUs.
    #[must_use]
    pub fn with_cpus(name: &str, cpus: &str) -> Self {
        let group = Self::new(name);
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset").expect("there are cpusets");
        group.set("cpuset.cpus", cpus);
        group
    }

    /// Creates a group below this one. Drop it first.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let path = format!("{}/{name}", self.0);
        fs::create_dir(&path).expect("a new group");
        Self(path)
    }

    /// The folder of the group.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0
    }

    /// Reads a file of the group.
    #[must_use]
    pub fn read(&self, file: &str) -> String {
        let path = format!("{}/{file}", self.0);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Writes to a file of the group.
    pub fn set(&self, file: &str, value: &str) {
        let path = format!("{}/{file}", self.0);
        fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// A line of `memory.stat`, in bytes.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let stat = fs::read_to_string(format!("{}/memory.stat", self.0)).expect("statistics");
        let value = stat
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in memory.stat"))
    }

    /// Per-CPU memory that the group has allocated and not freed, in bytes over all CPUs. The
    /// kernel does not count allocations in chunks that are older than the first group.
    #[must_use]
    pub fn percpu(&self) -> u64 {
        // The kernel flushes the counts of its CPUs when they exceed 64 pages for each, else after
        // some seconds (`memcg_vmstats_needs_flush()` in mm/memcontrol.c). So make them exceed
        // that.
        self.run(|| drop(black_box(vec![1u8; MUCH])));
        self.stat("percpu")
    }

    /// The charge of the group in bytes, without the stock that CPUs keep for it.
    #[must_use]
    pub fn charged(&self) -> u64 {
        // A limit that is too low drains the stock (`memory_high_write()` in mm/memcontrol.c).
        self.set("memory.high", "0");
        self.set("memory.high", "max");
        let mut last = None;
        let settled = soon(|| {
            thread::sleep(Duration::from_millis(100));
            let current = self.read("memory.current");
            last.replace(current.clone()) == Some(current)
        });
        assert!(settled, "what is charged goes on changing");
        let charged = last.expect("it was read");
        charged.trim().parse().expect("a number")
    }

    /// Waits until all per-CPU memory of the group is freed. False if it is not in time.
    #[must_use]
    pub fn is_free(&self) -> bool {
        soon(|| self.percpu() == 0)
    }

    /// Runs `work` in the group, which is charged for what it allocates.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.set("cgroup.procs", "0");
        let result = work();
        fs::write("/sys/fs/cgroup/cgroup.procs", "0").expect("back to the root");
        result
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let removed = soon(|| fs::remove_dir(&self.0).is_ok());
        assert!(removed || thread::panicking(), "{} is busy", self.0);
    }
}
