// SPDX-License-Identifier: GPL-2.0

//! What the kernel's memory is used for: by the machine, and by a control group.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use crate::cpus::soon;

/// Much memory for a control group to count, in bytes.
const MUCH: usize = 4 << 20;

/// What `Percpu` may grow by, in KiB, though all is freed: the kernel keeps empty pages and chunks for
/// its next allocations, here up to 2 MiB. Smaller leaks show in [`Group::is_free`].
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

/// Has the kernel free what it can do without.
pub fn drop_caches() {
    // Without (4) a word of each time in the log, which has little room.
    for what in ["4", "3"] {
        fs::write("/proc/sys/vm/drop_caches", what).expect("drop_caches");
    }
}

/// `Percpu` once it does not change any more, in KiB.
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

/// `Percpu` is back at `before`, but for what the allocator keeps, or soon is.
#[must_use]
pub fn percpu_is_back(before: i64) -> bool {
    soon(|| {
        drop_caches();
        meminfo("Percpu") <= before + KEPT
    })
}

/// A control group, for processes that are in it while it lives.
#[derive(Debug)]
pub struct Group(String);

impl Group {
    /// A new group of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let path = format!("/sys/fs/cgroup/{name}");
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory").expect("memory is counted");
        fs::create_dir(&path).expect("a new group");
        Self(path)
    }

    /// A new group whose tasks use these CPUs.
    #[must_use]
    pub fn with_cpus(name: &str, cpus: &str) -> Self {
        let group = Self::new(name);
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset").expect("there are cpusets");
        group.set("cpuset.cpus", cpus);
        group
    }

    /// A new group below this one, which is dropped after it.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let path = format!("{}/{name}", self.0);
        fs::create_dir(&path).expect("a new group");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0
    }

    /// A file of the group.
    #[must_use]
    pub fn read(&self, file: &str) -> String {
        let path = format!("{}/{file}", self.0);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Writes a file of the group.
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

    /// Per-CPU memory that was allocated in the group and is not free, in bytes of all CPUs. The
    /// kernel does not count what fits in chunks that are older than the first group.
    #[must_use]
    pub fn percpu(&self) -> u64 {
        // The kernel adds up what CPUs have counted when it is more than 64 pages for each, else some
        // seconds later (`memcg_vmstats_needs_flush()` in mm/memcontrol.c). So give it more.
        self.run(|| drop(black_box(vec![1u8; MUCH])));
        self.stat("percpu")
    }

    /// What the group is charged with, in bytes, and nothing that its CPUs hold ready for it.
    #[must_use]
    pub fn charged(&self) -> u64 {
        // A limit that is too low has CPUs give that back (`memory_high_write()` in mm/memcontrol.c).
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

    /// All per-CPU memory that was allocated in the group is free, or soon is.
    #[must_use]
    pub fn is_free(&self) -> bool {
        soon(|| self.percpu() == 0)
    }

    /// Runs `work` in the group. Whatever it allocates is the group's.
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
