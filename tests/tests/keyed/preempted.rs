// SPDX-License-Identifier: GPL-2.0

//! A program that is preempted while it uses an entry does not block other entries on its CPU.

use std::thread;

use bpf_percpu::store::KeyKind;
use libc::ENOENT;
use tests::bpf::load;
use tests::bpf::Loaded;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::cpus::sysfs;
use tests::object;

use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::find;
use crate::call::info;
use crate::call::store;
use crate::call::wait_until_free;
use tests::perf::real_time;

/// The global variables of the program.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Shared {
    key: u64,
    entry: u64,
    found: u64,
    deleted: i64,
    id: u32,
    holding: u32,
    go: u32,
    done: u32,
}

const GO: usize = 40;

/// Enough entries for all rounds: none becomes free while the program is preempted in an RCU
/// section.
const ROUNDS: u64 = 100;
const ENTRIES: u32 = 2 * ROUNDS as u32 + 2;

fn shared(program: &Loaded) -> Shared {
    program.global(".bss", 0)
}

/// Uses entries on the same CPU while the program is preempted.
fn others_come_and_go(program: &Loaded, id: u32) {
    let calls = calls(&["find", "delete"]);
    let store = bpf_percpu::store::Store::open_id(id).expect("the store");
    set_affinity(&[0].into());
    real_time();
    let its = shared(program);
    for key in 2..2 + ROUNDS {
        let entry = create(&calls, &store, key).expect("a free entry");
        assert_ne!(entry.entry, its.entry);
        assert_eq!(delete(&calls, &store, key), 0);
        // The preempted program's entry is still there.
        let found = find(&calls, &store, its.key).expect("the entry");
        assert_eq!(found.entry, its.entry);
    }
    assert_eq!(delete(&calls, &store, its.key), 0);
    let again = create(&calls, &store, its.key).expect("a free entry");
    assert_ne!(again.entry, its.entry, "the other still has that one");
    let now = shared(program);
    assert_eq!(
        (now.holding, now.done),
        (1, 0),
        "the other was not preempted"
    );
}

fn check(name: &'static str) {
    let store = store(KeyKind::U64, 16, ENTRIES);
    let program =
        load(object!("keyed-preempted"), name).unwrap_or_else(|log| panic!("{name}: {log}"));
    program.set_global(
        ".bss",
        0,
        Shared {
            key: 1,
            id: store.id(),
            deleted: 42,
            ..Default::default()
        },
    );
    thread::scope(|scope| {
        let held = scope.spawn(|| {
            set_affinity(&[0].into());
            program.run()
        });
        let holds = soon(|| shared(&program).holding == 1);
        let ended = scope
            .spawn(|| {
                set_affinity(&sysfs("online"));
                others_come_and_go(&program, store.id());
            })
            .join();
        program.set_global(".bss", GO, 1_u32);
        assert_eq!(held.join().expect("no panic"), 0);
        assert!(holds && ended.is_ok(), "what the other says is above");
    });
    let its = shared(&program);
    assert_eq!(its.done, 1);
    assert_eq!(its.deleted, 0, "the entry that it has now");
    assert_ne!(its.found, its.entry);
    assert_eq!(delete(&calls(&["delete"]), &store, 1), -ENOENT);
    wait_until_free(&store);
    let info = info(&store);
    assert_eq!((info.used, info.full, info.locked), (0, 0, 0));
}

#[test]
fn between_sections() {
    check("between_sections");
}

#[test]
fn in_a_section() {
    check("in_a_section");
}
