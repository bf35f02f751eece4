// SPDX-License-Identifier: GPL-2.0

//! Unloading the module while its keyed stores are in use.

use std::fs;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Barrier;
use std::thread;

use bpf_percpu::store::list;
use tests::cpus::soon;
use tests::memory::meminfo;
use tests::memory::percpu;
use tests::memory::percpu_is_back;
use tests::memory::Group;
use tests::module;

use crate::meet::Cgroup;
use crate::meet::Programs;
use crate::meet::Stores;
use crate::tasks::call;
use tests::soak::is_soak;

/// The number of rounds. Fewer on the debug kernel, which takes seconds to load the module.
fn many() -> u32 {
    match is_soak() {
        true => 20,
        false => 3,
    }
}

const OWNERS: usize = 8;

/// Checks that `Percpu` is as before, and that all memory of the group is free.
pub fn assert_free(group: &Group, before: i64) {
    assert!(group.is_free(), "{} bytes are left", group.percpu());
    assert!(
        percpu_is_back(before),
        "Percpu was {before} KiB and is {}",
        meminfo("Percpu")
    );
}

/// Waits until only the open stores hold the module.
fn wait_for_programs(stores: &Stores) {
    let is_alone = || {
        let users = fs::read_to_string("/sys/module/bpf_percpu/refcnt").expect("it is loaded");
        users.trim().parse() == Ok(stores.all().len())
    };
    assert!(soon(is_alone), "programs hold the module");
}

/// Tasks and a cgroup use stores, which only pins keep. While all of the owners end, `unload` must
/// unload the module.
fn unload_beside_ends(unload: impl Fn(Stores) + Sync) {
    for round in 0..many() {
        let stores = Stores::new(64);
        let (programs, cgroup) = (Programs::new(), Cgroup::new(&format!("unload{round}")));
        programs.use_stores(&stores);
        programs.use_cgroup(&cgroup, 0);
        let (ready, ends) = (Barrier::new(OWNERS + 1), Barrier::new(OWNERS + 2));
        thread::scope(|scope| {
            for _ in 0..OWNERS {
                scope.spawn(|| {
                    call();
                    ready.wait();
                    ends.wait();
                });
            }
            ready.wait();
            drop(programs);
            wait_for_programs(&stores);
            assert_eq!(stores.in_use().0 as usize, OWNERS + 1);
            scope.spawn(|| {
                ends.wait();
                cgroup.remove();
            });
            ends.wait();
            unload(stores);
        });
        module::insert(module::FILE).expect("insmod");
        assert!(list().expect("a list").is_empty());
    }
}

#[test]
fn owners_end_while_the_module_goes() {
    let before = percpu();
    let group = Group::new("owners_end");
    group.run(|| {
        unload_beside_ends(|stores| {
            drop(stores);
            module::remove_soon();
        });
    });
    assert_free(&group, before);
}

/// Entries of tasks, of a cgroup and of numbers wait for grace periods.
#[test]
fn entries_wait_while_the_module_goes() {
    let before = percpu();
    let (group, waited) = (Group::new("entries_wait"), AtomicU32::new(0));
    group.run(|| {
        unload_beside_ends(|stores| {
            stores.delete_all();
            let (_, waiting) = stores.in_use();
            waited.fetch_add(u32::from(waiting > 0), Relaxed);
            drop(stores);
            module::remove_soon();
        });
    });
    let waited = waited.load(Relaxed);
    println!("{waited} of {} times entries waited", many());
    assert!(waited > 0, "each time the grace periods were over");
    assert_free(&group, before);
}

/// The memory of stores whose entries were never used.
#[test]
fn loads_leave_nothing() {
    let loads = match is_soak() {
        true => 50,
        false => 6,
    };
    let before = percpu();
    let group = Group::new("loads");
    group.run(|| {
        for load in 0..loads {
            drop(Stores::new(1 + load * 40));
            assert_eq!(list().expect("a list").len(), 3);
            module::remove_soon();
            module::insert(module::FILE).expect("insmod");
            assert!(list().expect("a list").is_empty());
        }
    });
    assert_free(&group, before);
}
