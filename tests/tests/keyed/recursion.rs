// SPDX-License-Identifier: GPL-2.0

//! Programs that interrupt a call, even while it holds a lock, and make calls themselves. A call
//! that would have to wait fails, and the interrupted call is not affected.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use bpf_percpu::store::KeyKind;
use libc::EDEADLK;
use libc::ENOENT;
use tests::bpf::load_some;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::nmi::Watchdog;
use tests::object;

use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::info;
use crate::call::store;
use crate::call::wait_until_free;
use crate::interrupted::By;
use crate::interrupted::Place;
use crate::interrupted::Recursion;
use crate::interrupted::Shared;
use crate::interrupted::Tried;
use crate::interrupted::ALL;
use crate::interrupted::CREATE;
use crate::interrupted::DELETE;
use crate::interrupted::FIND;
use crate::interrupted::KEY;
use crate::interrupted::OUTER;

/// Before the lock is taken, and before it is released.
const LOCK: Place = Place::Helper("bpf_percpu_helper_res_spin_lock_irqsave");
const UNLOCK: Place = Place::Helper("bpf_percpu_helper_res_spin_unlock_irqrestore");
/// With the lock held: before an entry leaves the free list, before it is added to the bucket, and
/// before it is removed from there.
const POP: Place = Place::Rust(["5keyed9free_list", "8FreeList", "3pop"]);
const PUSH: Place = Place::Rust(["5keyed6bucket", "5Chain", "4push"]);
const REMOVE: Place = Place::Rust(["5keyed6bucket", "5Chain", "6remove"]);

/// The result if there is no entry and none can be created.
const NOTHING: Tried = Tried {
    found: 0,
    created: 0,
    deleted: -(ENOENT as i64),
};

/// The result if there is an entry that cannot be deleted.
fn there(entry: u64) -> Tried {
    Tried {
        found: entry,
        created: entry,
        deleted: -i64::from(EDEADLK),
    }
}

/// Checks the attempts with two other keys: one in the bucket of the interrupted call, and one in
/// another bucket, whose lock is free.
fn check_neighbours(tried: &[Tried; 3], same: Option<u64>) {
    assert_eq!(tried[1], same.map_or(NOTHING, there));
    assert_ne!(tried[2].created, 0, "another bucket's lock is free");
    assert_eq!((tried[2].found, tried[2].deleted), (0, 0));
}

/// A creation is interrupted at `place`, with the lock held.
fn check_creation(place: Place) {
    for outer in OUTER {
        let recursion = Recursion::new(outer, By::Program, place);
        let (same, other) = recursion.neighbours(false);
        for same_is_there in [true, false] {
            let locked = recursion.locked();
            let same_entry = same_is_there.then(|| recursion.create(same));
            let shared = recursion.run(KEY, false, [KEY, same, other], ALL);
            assert_ne!(shared.entry, 0, "{shared:?}");
            let its = if place == UNLOCK {
                there(shared.entry)
            } else {
                NOTHING
            };
            assert_eq!(shared.tried[0], its, "{shared:?}");
            check_neighbours(&shared.tried, same_entry);
            assert_eq!(recursion.locked() - locked, 2, "{shared:?}");
            assert_eq!(recursion.finds(KEY), Some(shared.entry));
            assert_eq!(recursion.finds(same), same_entry);
            assert_ne!(shared.tried[2].created, shared.entry, "two have it");
            assert_eq!(recursion.used(), 1 + u32::from(same_is_there));
            recursion.check_all_works([KEY, same, other]);
        }
    }
}

/// A deletion is interrupted at `place`, with the lock held.
fn check_deletion(place: Place) {
    for outer in OUTER {
        let recursion = Recursion::new(outer, By::Program, place);
        let (same, other) = recursion.neighbours(true);
        for same_is_there in [true, false] {
            let locked = recursion.locked();
            let entry = recursion.create(KEY);
            let same_entry = same_is_there.then(|| recursion.create(same));
            let shared = recursion.run(KEY, true, [KEY, same, other], ALL);
            let its = if place == UNLOCK {
                NOTHING
            } else {
                there(entry)
            };
            assert_eq!(shared.tried[0], its, "{shared:?}");
            check_neighbours(&shared.tried, same_entry);
            assert_eq!(recursion.locked() - locked, 2, "{shared:?}");
            assert_eq!(shared.deleted, 0, "{shared:?}");
            assert_eq!(recursion.finds(KEY), None);
            assert_eq!(recursion.finds(same), same_entry);
            assert_eq!(recursion.used(), u32::from(same_is_there));
            recursion.check_all_works([KEY, same, other]);
        }
    }
}

/// The interrupting program takes the entry that the interrupted call would have taken.
#[test]
fn in_a_creation_that_looks_for_a_free_one() {
    check_creation(POP);
}

#[test]
fn in_a_creation_before_it_can_be_found() {
    check_creation(PUSH);
}

#[test]
fn in_a_creation_after_that() {
    check_creation(UNLOCK);
}

#[test]
fn in_a_deletion_while_it_can_be_found() {
    check_deletion(REMOVE);
}

#[test]
fn in_a_deletion_after_that() {
    check_deletion(UNLOCK);
}

/// A call that is interrupted before it takes the lock finds the entry that was created in the
/// meantime.
#[test]
fn before_a_creation() {
    for by in [By::Program, By::Nmi] {
        let recursion = Recursion::new("outer_syscall", by, LOCK);
        let shared = recursion.run(KEY, false, [KEY; 3], FIND | CREATE);
        let entry = shared.entry;
        assert_ne!(entry, 0);
        for (i, tried) in shared.tried.iter().enumerate() {
            let found = if i == 0 { 0 } else { entry };
            assert_eq!((tried.found, tried.created), (found, entry), "{shared:?}");
        }
        assert_eq!((recursion.used(), recursion.locked()), (1, 0));
        recursion.delete_all([KEY; 3]);

        // If that entry has been deleted again, the call gets another one.
        let shared = recursion.run(KEY, false, [KEY; 3], ALL);
        let mut entries: Vec<u64> = shared.tried.iter().map(|tried| tried.created).collect();
        entries.push(shared.entry);
        entries.sort();
        entries.dedup();
        assert_eq!(entries.len(), 4, "{shared:?}");
        assert_eq!(shared.tried.map(|tried| tried.deleted), [0; 3]);
        assert_eq!((recursion.used(), recursion.locked()), (1, 0));
        recursion.check_all_works([KEY, 2, 3]);
    }
}

/// If several calls delete the same entry, only one succeeds.
#[test]
fn before_a_deletion() {
    for by in [By::Program, By::Nmi] {
        let recursion = Recursion::new("outer_syscall", by, LOCK);
        recursion.create(KEY);
        let shared = recursion.run(KEY, true, [KEY; 3], DELETE);
        let gone = -i64::from(ENOENT);
        let deleted = shared.tried.map(|tried| tried.deleted);
        assert_eq!(deleted, [0, gone, gone], "{shared:?}");
        assert_eq!(shared.deleted, gone, "{shared:?}");
        assert_eq!((recursion.used(), recursion.locked()), (0, 0));
        recursion.check_all_works([KEY, 2, 3]);
    }
}

/// NMIs interrupt a program at any point and run the same program.
#[test]
fn nmis_at_any_time() {
    const NMIS: u64 = 500;
    let programs = load_some(
        object!("keyed-recursion"),
        &["comes_and_goes", "nmi_comes_and_goes"],
    )
    .unwrap_or_else(|log| panic!("{log}"));
    let calls = calls(&["find", "delete"]);
    let store = store(KeyKind::U64, 16, 4096);
    create(&calls, &store, 7).expect("a free entry");
    programs.set_global(
        ".bss",
        0,
        Shared {
            keys: [7, 8, 0],
            id: store.id(),
            ..Default::default()
        },
    );
    let nmis = || programs.global::<Shared>(".bss", 0).nmis;
    let program = programs.program_named("nmi_comes_and_goes");
    let link = program.attach().expect("a link");
    let watchdog = Watchdog::new();
    let done = AtomicBool::new(false);
    let enough = thread::scope(|scope| {
        scope.spawn(|| {
            set_affinity(&[0].into());
            while !done.load(Relaxed) {
                assert_eq!(programs.run_named("comes_and_goes"), 0);
            }
        });
        let enough = soon(|| {
            watchdog.fire();
            nmis() >= NMIS
        });
        done.store(true, Relaxed);
        enough
    });
    drop(link);
    let shared: Shared = programs.global(".bss", 0);
    println!("{shared:?}, {:?}", info(&store));
    assert!(enough, "is it a guest of --nmi?");
    assert_eq!(shared.strange, 0);
    let sum = store
        .entry(7)
        .expect("a keyed store")
        .sum_u64(0)
        .expect("an entry");
    assert_eq!(sum, shared.counted);
    delete(&calls, &store, 8);
    assert_eq!(info(&store).used, 1);
    assert_eq!(delete(&calls, &store, 7), 0);
    wait_until_free(&store);
    assert_eq!(info(&store).used, 0);
}
