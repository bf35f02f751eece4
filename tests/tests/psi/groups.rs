// SPDX-License-Identifier: GPL-2.0

//! Cgroups that are created and removed while programs read their pressure.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::set_affinity;
use tests::kernel;
use tests::memory::Group;
use tests::object;
use tests::soak::is_soak;

use crate::call::id;
use crate::call::Call;
use crate::call::NO_CGROUP;
use crate::call::NO_PSI;

/// How many cgroups. The debug kernel takes two minutes for ten thousand.
fn rounds() -> u64 {
    match (is_soak(), kernel::is_debug()) {
        (true, _) => 10_000,
        (false, true) => 500,
        (false, false) => 5_000,
    }
}

/// `struct seen`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Seen {
    made: u64,
    found: u64,
    removed: u64,
    nothing: u64,
}

fn programs(names: &[&'static str]) -> Loaded {
    load_some(object!("psi-psi"), names).unwrap_or_else(|log| panic!("{log}"))
}

/// Programs read each cgroup when it is created, while it exists, when it is removed and when it is
/// freed; another task reads it all the time.
#[test]
fn many_come_and_go() {
    let programs = programs(&["by_kfunc", "keep", "by_kptr", "mkdir", "rmdir", "walk"]);
    let links = ["mkdir", "rmdir"].map(|name| {
        let program = programs.program_named(name);
        program.attach().expect("the kernel has it")
    });
    let _parent = Group::new("many");
    let parent = id("many");
    let possible: Vec<u32> = cpus::sysfs("possible").into_iter().collect();
    let seen = || -> Seen { programs.global(".bss", 0) };
    let before = seen();
    let walks = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                assert_eq!(Call::new(parent, 0).run(&programs, "walk"), 0);
                walks.fetch_add(1, Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        });
        let ended = SetOnDrop(&done);
        for round in 0..rounds() {
            let name = format!("many/{round}");
            let path = format!("/sys/fs/cgroup/{name}");
            fs::create_dir(&path).expect("a cgroup");
            let call = Call::new(id(&name), possible[round as usize % possible.len()]);
            assert_eq!(call.clone().run(&programs, "by_kfunc"), 0);
            assert_eq!(call.clone().run(&programs, "keep"), 0);
            fs::remove_dir(&path).expect("an empty cgroup");
            assert_eq!(call.clone().run(&programs, "by_kfunc"), NO_CGROUP);
            assert_eq!(call.clone().run(&programs, "by_kptr"), NO_PSI);
        }
        drop(ended);
    });
    drop(links);
    let (after, walks) = (seen(), walks.into_inner());
    println!("{walks} walks meanwhile: {before:?}, {after:?}");
    let reads = rounds() * possible.len() as u64;
    assert_eq!(after.made - before.made, reads);
    assert_eq!(after.removed, before.removed, "it is a dead one's");
    assert!(after.nothing - before.nothing >= reads);
    let found = after.found - before.found;
    assert!(found > walks * possible.len() as u64, "none but the parent");
}

/// Stops the other threads, even if the test fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A removed cgroup has no PSI, even for a program that holds a reference to it.
#[test]
fn kept_ones_have_no_more() {
    let programs = programs(&["keep", "by_kptr", "by_kfunc"]);
    let group = Group::new("kept");
    let cgroup = id("kept");
    assert_eq!(Call::new(cgroup, 0).run(&programs, "keep"), 0);
    // Some CPU time in the cgroup, for the programs to find.
    group.run(|| set_affinity(&[0].into()));
    set_affinity(&cpus::sysfs("online"));
    let mut call = Call::new(cgroup, 0);
    assert_eq!(call.run(&programs, "by_kptr"), 0);
    assert_ne!(call.state_start, 0);
    drop(group);
    assert_eq!(Call::new(cgroup, 0).run(&programs, "by_kfunc"), NO_CGROUP);
    let before = Call::new(cgroup, 0);
    let mut call = before;
    assert_eq!(call.run(&programs, "by_kptr"), NO_PSI);
    assert_eq!(call, before, "something was written");
}

/// `cgroup.pressure` switches PSI off for one cgroup, and on again.
#[test]
fn off_for_one() {
    let programs = programs(&["by_kfunc"]);
    let group = Group::new("off");
    let _other = Group::new("on");
    let read = |path| Call::new(id(path), 0).run(&programs, "by_kfunc");
    for _ in 0..3 {
        group.set("cgroup.pressure", "0");
        assert_eq!([read("off"), read("on"), read("")], [NO_PSI, 0, 0]);
        group.set("cgroup.pressure", "1");
        assert_eq!([read("off"), read("on"), read("")], [0, 0, 0]);
    }
}
