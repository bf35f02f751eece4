// SPDX-License-Identifier: GPL-2.0

//! The memory of stores: whose it is, and when it is freed.

use std::fs;
use std::thread;
use std::time::Duration;

use libc::ENOMEM;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::module;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::lives;
use tests::stores::meminfo;
use tests::stores::Control;

use crate::shared::drop_caches;
use crate::shared::programs;
use crate::shared::shared;
use crate::shared::GO;

/// What the allocator keeps of freed memory, in KiB: it gives whole pages of all CPUs back when it
/// gets to it.
const KEPT: i64 = 256;

/// Stores that are pinned, of `size` bytes.
fn pinned(count: u32, size: u32) {
    for i in 0..count {
        let control = Control::with(&format!("many{i}"), size);
        control.pin().expect("a store");
    }
}

fn unpin_all() {
    for info in list(64) {
        let control = Control::new();
        control.open_id(info.id).expect("it is pinned");
        control.unpin().expect("it is pinned");
    }
}

/// `Percpu` is back at `before`, or soon is.
fn is_back(before: i64) -> bool {
    soon(|| {
        drop_caches();
        meminfo("Percpu") <= before + KEPT
    })
}

#[test]
fn ten_thousand_leave_nothing() {
    let before = meminfo("Percpu");
    // The control: what is held shows.
    pinned(1000, 8192);
    let held = meminfo("Percpu") - before;
    // Half of it, for some was there, and free.
    let least = 1000 * 4 * tests::cpus::sysfs("possible").len() as i64;
    assert!(held >= least, "1000 stores take {held} KiB");
    unpin_all();
    assert!(
        is_back(before),
        "Percpu was {before} and is {}",
        meminfo("Percpu")
    );

    for i in 0..10_000u32 {
        drop(Control::with("new", 8 + i % 8192));
    }
    assert!(
        is_back(before),
        "Percpu was {before} and is {}",
        meminfo("Percpu")
    );
    println!(
        "Percpu: {before} KiB, {held} more held, then {}",
        meminfo("Percpu")
    );
}

#[test]
fn the_end_of_the_module_frees_pinned_stores() {
    let before = meminfo("Percpu");
    pinned(500, 8192);
    assert!(meminfo("Percpu") > before + 1000);
    module::remove_soon();
    assert!(
        is_back(before),
        "Percpu was {before} and is {}",
        meminfo("Percpu")
    );
    module::insert(module::FILE).expect("insmod");
    assert_eq!(list(8).len(), 0);
    assert_eq!(Control::with("first", 8).id(), 1);
}

/// A sleepable program has a view, and nobody has the store any more: the memory is its own until it
/// ends, however much is created meanwhile. This fails when `rust/store/reaper.rs` does not wait for
/// RCU tasks trace.
#[test]
fn a_running_program_keeps_its_view() {
    const SIZE: u32 = 4096;
    let image: Vec<u8> = (0..512u64)
        .flat_map(|i| (i * 3 + 1).to_ne_bytes())
        .collect();
    let expected: u64 = (0..512).map(|i| i * 3 + 1).sum();
    let before = meminfo("Percpu");
    let control = Control::with_image("view", SIZE, &image);
    let id = control.id();
    let programs = programs(&["hold"], id);
    thread::scope(|scope| {
        let holder = scope.spawn(|| {
            set_affinity(&[1].into());
            programs.run_named("hold")
        });
        assert!(soon(|| shared(&programs).holding == 1));
        drop(control);
        assert!(!lives(id));
        // What would be given its memory, if it were free.
        let other = vec![0xff; SIZE as usize];
        for round in 0..5 {
            let _others: Vec<_> = (0..100)
                .map(|i| Control::with_image(&format!("other{round}-{i}"), SIZE, &other))
                .collect();
            thread::sleep(Duration::from_millis(100));
        }
        assert!(shared(&programs).rounds > 0);
        assert!(!holder.is_finished(), "the program has not waited");
        programs.set_global(".bss", GO, 1u32);
        assert_eq!(holder.join().expect("no panic"), 0);
    });
    assert_eq!(shared(&programs).seen, expected);
    drop(programs);
    assert!(
        is_back(before),
        "Percpu was {before} and is {}",
        meminfo("Percpu")
    );
}

/// A control group, for processes that are in it while it lives.
struct Group(&'static str);

impl Group {
    fn new(path: &'static str) -> Self {
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory").expect("memory is counted");
        fs::create_dir(path).expect("a new group");
        Self(path)
    }

    fn set(&self, file: &str, value: &str) {
        let path = format!("{}/{file}", self.0);
        fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    fn stat(&self, name: &str) -> u64 {
        let stat = fs::read_to_string(format!("{}/memory.stat", self.0)).expect("statistics");
        let value = stat
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in memory.stat"))
    }

    /// Runs `work` in the group.
    fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.set("cgroup.procs", "0");
        let result = work();
        fs::write("/sys/fs/cgroup/cgroup.procs", "0").expect("back to the root");
        result
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let removed = soon(|| fs::remove_dir(self.0).is_ok());
        assert!(removed || thread::panicking(), "{} is busy", self.0);
    }
}

#[test]
fn the_creator_is_charged() {
    let group = Group::new("/sys/fs/cgroup/charged");
    let create = || {
        let all: Vec<_> = (0..20)
            .map(|i| Control::with(&format!("s{i}"), 32768))
            .collect();
        all
    };
    let before = group.stat("percpu ");
    let outside = create();
    assert_eq!(group.stat("percpu "), before, "others are not");
    drop(outside);
    let stores = group.run(create);
    let charged = group.stat("percpu ") - before;
    let least = 20 * 32768 * tests::cpus::sysfs("possible").len() as u64;
    assert!(charged >= least, "{charged} bytes are charged, not {least}");
    drop(stores);
    assert!(
        soon(|| group.stat("percpu ") <= before),
        "and no more once they are gone"
    );
}

#[test]
fn a_limit_of_the_creator_holds() {
    let group = Group::new("/sys/fs/cgroup/limited");
    let possible = tests::cpus::sysfs("possible").len();
    group.set("memory.swap.max", "0");
    group.set("memory.max", "8388608");
    // A process that is over its limit may be killed: it creates, and does little else.
    let (created, error) = group.run(|| {
        let mut all = Vec::new();
        let error = loop {
            let control = Control::new();
            match control.create(&mut create_args(format!("s{}", all.len()), 32768)) {
                Ok(_) => all.push(control),
                Err(error) => break error,
            }
            assert!(
                all.len() * possible * 32768 < 2 * 8388608,
                "there is no limit"
            );
        };
        (all, error)
    });
    assert_eq!(error, ENOMEM);
    assert!(!created.is_empty());
    assert_eq!(
        list(64).len(),
        created.len(),
        "the one that failed is not there"
    );
    assert!(Control::new()
        .create(&mut create_args("outside", 32768))
        .is_ok());
}
