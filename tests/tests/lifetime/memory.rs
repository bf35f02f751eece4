// SPDX-License-Identifier: GPL-2.0

//! The memory of stores: which cgroup is charged, and when it is freed.

use std::path::Path;
use std::thread;
use std::time::Duration;

use libc::ENOMEM;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::cpus::sysfs;
use tests::memory::meminfo;
use tests::memory::percpu;
use tests::memory::percpu_is_back;
use tests::memory::Group;
use tests::module;
use tests::soak::is_soak;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::lives;
use tests::stores::Control;

use crate::shared::programs;
use crate::shared::shared;
use crate::shared::GO;

/// Creates and pins stores of `size` bytes.
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

/// Checks that `Percpu` is as before, and that all memory of the group is free.
fn assert_free(group: &Group, before: i64) {
    assert!(
        group.is_free(),
        "{} bytes are left of what the stores took",
        group.percpu()
    );
    assert!(
        percpu_is_back(before),
        "Percpu was {before} and is {}",
        meminfo("Percpu")
    );
}

#[test]
fn many_leave_nothing() {
    let possible = sysfs("possible").len() as u64;
    let before = percpu();
    let group = Group::new("many");
    // The control: memory in use shows.
    group.run(|| pinned(1000, 8192));
    let held = meminfo("Percpu") - before;
    // At least half of it: some was free before.
    assert!(group.percpu() >= 500 * 8192 * possible);
    assert!(
        held >= 4 * 1000 * possible as i64,
        "1000 stores take {held} KiB"
    );
    unpin_all();
    assert_free(&group, before);

    group.run(|| {
        for i in 0..if is_soak() { 10_000 } else { 2_000 } {
            drop(Control::with("new", 8 + i * 5 % 8192));
        }
    });
    assert_free(&group, before);
    println!(
        "Percpu: {before} KiB, {held} more held, then {}",
        meminfo("Percpu")
    );
}

#[test]
fn the_end_of_the_module_frees_pinned_stores() {
    let before = percpu();
    let group = Group::new("pinned");
    group.run(|| pinned(500, 8192));
    assert!(meminfo("Percpu") > before + 1000);
    module::remove_soon();
    assert_free(&group, before);
    module::insert(module::FILE).expect("insmod");
    assert_eq!(list(8).len(), 0);
    assert_eq!(Control::with("first", 8).id(), 1);
}

/// A sleepable program has a view of a store that nothing refers to any more. Until the program
/// ends, no new store gets that memory. This fails if the store is freed without an RCU tasks trace
/// grace period.
#[test]
fn a_running_program_keeps_its_view() {
    const SIZE: u32 = 4096;
    let image: Vec<u8> = (0..512u64)
        .flat_map(|i| (i * 3 + 1).to_ne_bytes())
        .collect();
    let expected: u64 = (0..512).map(|i| i * 3 + 1).sum();
    let before = percpu();
    let group = Group::new("view");
    let control = group.run(|| Control::with_image("view", SIZE, &image));
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
        // Stores that would get the memory if it were free.
        let other = vec![0xff; SIZE as usize];
        for round in 0..5 {
            let _others: Vec<_> = (0..100)
                .map(|i| Control::with_image(&format!("other{round}-{i}"), SIZE, &other))
                .collect();
            thread::sleep(Duration::from_millis(100));
        }
        assert!(soon(|| shared(&programs).rounds > 0));
        assert!(!holder.is_finished(), "the program has not waited");
        programs.set_global(".bss", GO, 1u32);
        assert_eq!(holder.join().expect("no panic"), 0);
    });
    assert_eq!(shared(&programs).seen, expected);
    drop(programs);
    assert_free(&group, before);
}

#[test]
fn the_creator_is_charged() {
    let group = Group::new("charged");
    let create = || {
        let all: Vec<_> = (0..20)
            .map(|i| Control::with(&format!("s{i}"), 32768))
            .collect();
        all
    };
    let outside = create();
    assert_eq!(group.percpu(), 0, "others are not");
    drop(outside);
    let stores = group.run(create);
    let charged = group.percpu();
    let least = 20 * 32768 * sysfs("possible").len() as u64;
    assert!(charged >= least, "{charged} bytes are charged, not {least}");
    drop(stores);
    assert!(group.is_free(), "and no more once they are gone");
}

/// At the limit of a cgroup, an allocation of up to eight pages invokes the OOM killer; a larger
/// one, as of a store here, fails (`mem_cgroup_oom()` in mm/memcontrol.c). So the limit leaves room
/// for some stores and half of one more, which the small allocations use.
#[test]
fn a_limit_of_the_creator_holds() {
    const FIT: usize = 4;
    let group = Group::new("limited");
    if Path::new("/proc/swaps").exists() {
        group.set("memory.swap.max", "0");
    }
    // The stock that a CPU keeps for the group is of no use to another CPU.
    set_affinity(&[0].into());
    let create = |i: usize| {
        let control = Control::new();
        control
            .create(&mut create_args(format!("s{i}"), 32768))
            .map(|_| control)
    };
    // The first store is charged for what is allocated only once.
    let mut created = vec![group.run(|| create(0)).expect("there is no limit yet")];
    let before = group.charged();
    created.push(group.run(|| create(1)).expect("there is no limit yet"));
    let charged = group.charged();
    let one = charged - before;
    assert!(one > 2 * 8 * 4096, "{one} bytes a store: it takes more");
    let max = charged + FIT as u64 * one + one / 2;
    group.set("memory.max", &max.to_string());
    let error = group.run(|| loop {
        match create(created.len()) {
            Ok(control) => created.push(control),
            Err(error) => break error,
        }
        assert!(created.len() <= 2 + FIT, "there is no limit");
    });
    set_affinity(&sysfs("online"));
    assert_eq!(error, ENOMEM);
    assert_eq!(created.len(), 2 + FIT, "the others had room");
    assert_eq!(
        list(64).len(),
        created.len(),
        "the one that failed is not there"
    );
    assert!(Control::new()
        .create(&mut create_args("outside", 32768))
        .is_ok());
}
