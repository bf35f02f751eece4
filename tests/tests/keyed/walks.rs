// SPDX-License-Identifier: GPL-2.0

//! Walks over the entries of a store visit each once.

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use libbpf_rs::ProgramInput;
use libc::EINVAL;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::object;
use tests::stores::Control;

use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::find;
use crate::call::info;
use crate::call::owners_of;
use crate::call::store;
use crate::call::wait_until_free;
use crate::call::KINDS;
use crate::owner::Owner;

/// Mirrors `struct walk` in `walks.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Walk {
    steps: u64,
    limit: u64,
    strange: u64,
    id: u32,
    error: i32,
}

fn programs(names: &[&'static str]) -> Loaded {
    load_some(object!("keyed-walks"), names).unwrap_or_else(|log| panic!("{log}"))
}

/// Runs `program` on a walk, and returns the result.
fn run(programs: &Loaded, program: &str, id: u32, limit: u64) -> Walk {
    let mut walk = Walk {
        steps: 0,
        limit,
        strange: 0,
        id,
        error: 42,
    };
    // SAFETY: The slice covers the struct, which is integers without padding.
    let bytes =
        unsafe { std::slice::from_raw_parts_mut((&raw mut walk).cast::<u8>(), size_of_val(&walk)) };
    let input = ProgramInput {
        context_in: Some(bytes),
        ..Default::default()
    };
    let output = programs.program_named(program).test_run(input);
    let ret = output.unwrap_or_else(|e| panic!("{program}: {e}"));
    assert_eq!(ret.return_value, 0, "{program}");
    assert_eq!(walk.strange, 0, "{program}: {walk:?}");
    walk
}

/// Returns how often walks visited each entry.
fn visits(store: &Store) -> Vec<u64> {
    let entries = store.entries().expect("a keyed store");
    entries
        .map(|entry| entry.expect("an entry").1.sum_u64(0).expect("a sum"))
        .collect()
}

#[test]
fn each_entry_once() {
    let (programs, calls) = (programs(&["walk", "walk_in_walk"]), calls(&["find"]));
    for kind in KINDS {
        let store = store(kind, 8, 5);
        assert_eq!(run(&programs, "walk", store.id(), u64::MAX).steps, 0);
        let owners = Owner::several(kind, 4);
        for (i, owner) in owners.iter().enumerate() {
            create(&calls, &store, owner.number).expect("a free entry");
            let walk = run(&programs, "walk", store.id(), u64::MAX);
            assert_eq!(walk.steps, i as u64 + 1, "{kind}");
        }
        let mut seen = visits(&store);
        seen.sort();
        assert_eq!(seen, [1, 2, 3, 4], "{kind}");
        let walk = run(&programs, "walk_in_walk", store.id(), 0);
        assert_eq!(walk.steps, 16);
        let mut seen = visits(&store);
        seen.sort();
        assert_eq!(seen, [5, 6, 7, 8], "{kind}");
    }
}

#[test]
fn a_thousand() {
    let (programs, calls) = (programs(&["walk"]), calls(&["find", "delete"]));
    let store = store(KeyKind::U64, 8, 1000);
    let keys: Vec<u64> = (0..1000).map(|i: u64| i * i * i).collect();
    for key in &keys {
        create(&calls, &store, *key).expect("a free entry");
    }
    assert!(create(&calls, &store, 2).is_none(), "there are only 1000");
    assert_eq!(owners_of(&store), keys);
    let mut entries: Vec<u64> = keys
        .iter()
        .map(|key| find(&calls, &store, *key).expect("the entry").entry)
        .collect();
    entries.sort();
    entries.dedup();
    assert_eq!(entries.len(), 1000);
    assert_eq!(run(&programs, "walk", store.id(), u64::MAX).steps, 1000);
    assert_eq!(visits(&store), [1; 1000]);
    // Every third entry is deleted and must not be visited; the others must.
    for (i, key) in keys.iter().enumerate() {
        if i % 3 == 0 {
            assert_eq!(delete(&calls, &store, *key), 0);
        }
    }
    for (i, key) in keys.iter().enumerate() {
        assert_eq!(find(&calls, &store, *key).is_some(), i % 3 != 0, "{key}");
    }
    assert_eq!(run(&programs, "walk", store.id(), u64::MAX).steps, 666);
    assert_eq!(visits(&store), [2; 666]);
}

#[test]
fn walks_may_end_early() {
    let (programs, calls) = (programs(&["walk"]), calls(&["find"]));
    let store = store(KeyKind::U64, 8, 10);
    for key in 0..10 {
        create(&calls, &store, key).expect("a free entry");
    }
    for limit in [0, 1, 9, 10, 11] {
        let before: u64 = visits(&store).iter().sum();
        let walk = run(&programs, "walk", store.id(), limit);
        assert_eq!(walk.steps, limit.min(10));
        let after: u64 = visits(&store).iter().sum();
        assert_eq!(after - before, limit.min(10));
    }
}

#[test]
fn walks_may_delete_what_they_come_to() {
    let (programs, calls) = (programs(&["walk", "delete_all"]), calls(&["find"]));
    let store = store(KeyKind::U64, 8, 100);
    for _ in 0..3 {
        for key in 0..100 {
            create(&calls, &store, key).expect("a free entry");
        }
        assert_eq!(run(&programs, "delete_all", store.id(), 0).steps, 100);
        assert_eq!(info(&store).used, 0);
        assert_eq!(run(&programs, "walk", store.id(), u64::MAX).steps, 0);
        wait_until_free(&store);
    }
    assert_eq!((info(&store).full, info(&store).locked), (0, 0));
}

/// A walk may visit entries that are created during it. It visits older ones once.
#[test]
fn walks_may_create() {
    let (programs, calls) = (programs(&["create_more"]), calls(&["find"]));
    let store = store(KeyKind::U64, 8, 100);
    for key in 0..50 {
        create(&calls, &store, key).expect("a free entry");
    }
    let walk = run(&programs, "create_more", store.id(), 0);
    assert!((50..=100).contains(&walk.steps), "{walk:?}");
    assert_eq!(info(&store).used, 100);
    for entry in store.entries().expect("a keyed store") {
        let (owner, entry) = entry.expect("an entry");
        let visits = entry.sum_u64(0).expect("a sum");
        if owner < 50 {
            assert_eq!(visits, 1, "{entry:?}");
        } else {
            assert!(visits <= 1, "{entry:?}");
        }
    }
}

#[test]
fn what_has_no_entries_has_no_walk() {
    let (programs, calls) = (programs(&["by_hand", "of_an_entry"]), calls(&["find"]));
    let plain = Control::with("plain", 64);
    let walk = run(&programs, "by_hand", plain.id(), 0);
    assert_eq!((walk.error, walk.steps), (-EINVAL, 0));
    for kind in KINDS {
        let store = store(kind, 8, 4);
        let walk = run(&programs, "by_hand", store.id(), 0);
        assert_eq!((walk.error, walk.steps), (0, 0));
        let owners = Owner::several(kind, 3);
        for owner in &owners {
            create(&calls, &store, owner.number).expect("a free entry");
        }
        // After the end, the iterator stays at the end.
        let walk = run(&programs, "by_hand", store.id(), 0);
        assert_eq!((walk.error, walk.steps), (0, 3));
    }
    let store = store(KeyKind::U64, 8, 1);
    create(&calls, &store, 0).expect("a free entry");
    let walk = run(&programs, "of_an_entry", store.id(), 0);
    assert_eq!((walk.error, walk.steps), (-EINVAL, 0));
}
