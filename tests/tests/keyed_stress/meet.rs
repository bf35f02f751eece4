// SPDX-License-Identifier: GPL-2.0

//! A keyed store of each kind, and programs that use all three.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use libbpf_rs::Link;
use libbpf_rs::ProgramInput;
use tests::bpf::Loaded;
use tests::object;

use crate::programs::load;

/// `input` of `meet.bpf.c`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Input {
    tgid: u32,
    tasks: u32,
    cgroups: u32,
    keys: u32,
    dropped: u32,
}

/// The offset of `dropped`.
const DROPPED: usize = 16;

/// `counts` of `meet.bpf.c`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Counts {
    pub created: u64,
    pub waiting: u64,
    pub created_late: u64,
    pub deleted: u64,
    pub iterated: u64,
    pub kept: u64,
    pub dirty: u64,
    pub miscounted: u64,
    pub changed: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.created += other.created;
        self.waiting += other.waiting;
        self.created_late += other.created_late;
        self.deleted += other.deleted;
        self.iterated += other.iterated;
        self.kept += other.kept;
        self.dirty += other.dirty;
        self.miscounted += other.miscounted;
        self.changed += other.changed;
    }
}

/// `struct args` of `meet.bpf.c`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Args {
    cgroup: u64,
    thread: u32,
    pad: u32,
}

/// Pinned stores with tasks, cgroups and numbers as owners.
pub struct Stores([Store; 3]);

impl Stores {
    pub fn new(entries: u32) -> Self {
        let kinds = [
            ("meet_tasks", KeyKind::Task),
            ("meet_cgroups", KeyKind::Cgroup),
            ("meet_keys", KeyKind::U64),
        ];
        Self(kinds.map(|(name, kind)| {
            Options::new(name, 16)
                .keyed(kind, entries)
                .pinned(true)
                .create()
                .unwrap_or_else(|e| panic!("{e}"))
        }))
    }

    pub fn all(&self) -> &[Store] {
        &self.0
    }

    pub fn ids(&self) -> [u32; 3] {
        self.0.each_ref().map(Store::id)
    }

    /// The number of entries that have an owner, and of those that are not free yet after they had
    /// one.
    pub fn in_use(&self) -> (u32, u32) {
        self.0.iter().fold((0, 0), |(used, waiting), store| {
            let info = store.keyed_info().expect("a keyed store");
            (used + info.used, waiting + info.waiting)
        })
    }

    /// Deletes all entries.
    pub fn delete_all(&self) {
        for store in self.all() {
            for entry in store.entries().expect("a keyed store") {
                // The entry may be gone.
                let _ = entry.expect("an entry").1.delete();
            }
        }
    }

    pub fn unpin(self) {
        for store in self.0 {
            store.unpin().expect("it is pinned");
        }
    }
}

/// The programs, one of which is attached.
pub struct Programs {
    loaded: Loaded,
    _link: Link,
}

impl Programs {
    pub fn new() -> Self {
        let names = ["churn", "called", "use_cgroup", "create_late"];
        let loaded = load(object!("keyed_stress-meet"), &names);
        let link = loaded.program_named("called").attach();
        Self {
            _link: link.expect("the kernel has it"),
            loaded,
        }
    }

    /// Makes the programs use these stores.
    pub fn use_stores(&self, stores: &Stores) {
        let [tasks, cgroups, keys] = stores.ids();
        let input = Input {
            tgid: process::id(),
            tasks,
            cgroups,
            keys,
            dropped: 0,
        };
        self.loaded.set_global(".data", 0, input);
    }

    /// Tells the programs that the stores were dropped.
    pub fn set_dropped(&self) {
        self.loaded.set_global(".data", DROPPED, 1u32);
    }

    pub fn counts(&self) -> Counts {
        self.loaded.global(".bss", 0)
    }

    fn run(&self, program: &str, mut args: Args) -> u32 {
        // SAFETY: The slice covers the struct, which is integers.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut((&raw mut args).cast::<u8>(), size_of::<Args>())
        };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        self.loaded
            .program_named(program)
            .test_run(input)
            .unwrap_or_else(|e| panic!("{program}: {e}"))
            .return_value
    }

    /// Creates, deletes and keeps entries. No two threads may use the same number.
    pub fn churn(&self, thread: u32) {
        let args = Args {
            thread,
            ..Default::default()
        };
        assert_eq!(self.run("churn", args), 0);
    }

    /// Finds the store of tasks, waits until it was dropped, and creates an entry for this task.
    pub fn create_late(&self) {
        assert_eq!(self.run("create_late", Args::default()), 0);
    }

    /// Creates an entry for a cgroup. No two threads may use the same number.
    pub fn use_cgroup(&self, cgroup: &Cgroup, thread: u32) {
        let args = Args {
            cgroup: cgroup.id(),
            thread,
            ..Default::default()
        };
        assert_eq!(self.run("use_cgroup", args), 0);
    }
}

/// A control group without tasks.
pub struct Cgroup(String);

impl Cgroup {
    pub fn new(name: &str) -> Self {
        let path = format!("/sys/fs/cgroup/{name}");
        fs::create_dir(&path).expect("a new cgroup");
        Self(path)
    }

    pub fn id(&self) -> u64 {
        fs::metadata(&self.0).expect("it is there").ino()
    }

    pub fn remove(self) {
        fs::remove_dir(&self.0).expect("nobody is in it");
    }
}
