// SPDX-License-Identifier: GPL-2.0

//! Calls that neither find nor get an entry return NULL or `ENOENT`, and change nothing.

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use libc::ENOENT;
use tests::stores::Control;

use crate::call::bytes;
use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::find;
use crate::call::info;
use crate::call::owners_of;
use crate::call::store;
use crate::call::wait_until_free;
use crate::call::with_image;
use crate::call::Call;
use crate::call::CREATE;
use crate::call::KINDS;
use crate::call::NO_ENTRY;
use crate::owner::Owner;

/// The state of a store and of its entries.
fn all(store: &Store) -> impl PartialEq + std::fmt::Debug {
    let owners = owners_of(store);
    let bytes: Vec<_> = owners.iter().map(|owner| bytes(store, *owner)).collect();
    let info = info(store);
    let info = (info.used, info.waiting, info.full, info.locked);
    (owners, bytes, info, store.info().expect("a store").refs)
}

#[test]
fn stores_of_another_kind() {
    let programs = calls(&["find", "delete"]);
    let plain = Control::with_image("plain", 16, &[0x5a; 16]);
    let owners = KINDS.map(|kind| Owner::new(kind, 0));
    for (kind, its) in KINDS.iter().zip(&owners) {
        let store = with_image(*kind, 16, 2, &[0xa5; 16]);
        create(&programs, &store, its.number).expect("a free entry");
        let (before, plain_before) = (all(&store), plain.all());
        for (other, owner) in KINDS.iter().zip(&owners) {
            let ids = [(store.id(), other != kind), (plain.id(), true)];
            for (id, _) in ids.into_iter().filter(|(_, wrong)| *wrong) {
                for flags in [0, CREATE] {
                    let call = Call {
                        flags,
                        owner: owner.number,
                        id,
                        kind: other.number(),
                        ..Default::default()
                    };
                    let (ret, done) = call.run(&programs, "find");
                    assert_eq!(ret, NO_ENTRY, "{done:?}");
                    let (ret, done) = call.run(&programs, "delete");
                    assert_eq!((ret, done.error), (0, -ENOENT), "{done:?}");
                }
            }
        }
        assert_eq!(all(&store), before);
        assert_eq!(plain.all(), plain_before);
        // The control: an owner of the store's kind.
        assert_eq!(delete(&programs, &store, its.number), 0);
    }
}

#[test]
fn an_entry_has_no_entries() {
    let programs = calls(&["find", "entry_as_store"]);
    let store = with_image(KeyKind::U64, 16, 2, &[0xa5; 16]);
    create(&programs, &store, 0).expect("a free entry");
    let before = all(&store);
    for kind in KINDS {
        let owner = Owner::new(kind, 0);
        for flags in [0, CREATE] {
            let call = Call {
                flags,
                kind: kind.number(),
                ..Call::new(&store, owner.number)
            };
            let (ret, done) = call.run(&programs, "entry_as_store");
            assert_eq!((ret, done.entry), (NO_ENTRY, 0), "{done:?}");
            let (ret, done) = Call { op: 1, ..call }.run(&programs, "entry_as_store");
            assert_eq!((ret, done.error), (0, -ENOENT), "{done:?}");
        }
    }
    assert_eq!(all(&store), before);
}

#[test]
fn unknown_flags() {
    let programs = calls(&["find"]);
    for kind in KINDS {
        let store = store(kind, 16, 2);
        let owners = Owner::several(kind, 2);
        create(&programs, &store, owners[0].number).expect("a free entry");
        let before = all(&store);
        for bits in (1..64).map(|bit| 1 << bit).chain([u64::MAX]) {
            for flags in [bits, bits | CREATE] {
                for owner in &owners {
                    let call = Call {
                        flags,
                        ..Call::new(&store, owner.number)
                    };
                    let (ret, done) = call.run(&programs, "find");
                    assert_eq!(ret, NO_ENTRY, "{done:?}");
                }
            }
        }
        assert_eq!(all(&store), before);
    }
}

#[test]
fn full_stores() {
    let programs = calls(&["find", "delete"]);
    for kind in KINDS {
        for entries in [1, 2, 3] {
            let store = store(kind, 16, entries as u32);
            let owners = Owner::several(kind, entries + 1);
            let (last, others) = owners.split_last().expect("several owners");
            for (i, owner) in others.iter().enumerate() {
                create(&programs, &store, owner.number).expect("a free entry");
                store
                    .entry(owner.number)
                    .expect("a keyed store")
                    .write_all(0, &[i as u8 + 1; 16])
                    .expect("an entry");
            }
            assert_eq!(info(&store).full, 0);
            let copies = |owner: &Owner| bytes(&store, owner.number);
            let before: Vec<_> = others.iter().map(copies).collect();
            for count in 1..=10 {
                assert!(create(&programs, &store, last.number).is_none());
                assert!(find(&programs, &store, last.number).is_none());
                assert!(create(&programs, &store, others[0].number).is_some());
                let info = info(&store);
                assert_eq!((info.full, info.locked), (count, 0));
                assert_eq!((info.used as usize, info.waiting), (entries, 0));
            }
            let after: Vec<_> = others.iter().map(copies).collect();
            assert_eq!(after, before);
            assert_eq!(delete(&programs, &store, others[0].number), 0);
            wait_until_free(&store);
            create(&programs, &store, last.number).expect("the freed entry");
            assert_eq!(info(&store).full, 10);
        }
    }
}

#[test]
fn first_and_last_key() {
    let programs = calls(&["find", "delete"]);
    let store = store(KeyKind::U64, 16, 3);
    for key in [0, u64::MAX, 1] {
        assert!(find(&programs, &store, key).is_none(), "{key:#x}");
        create(&programs, &store, key).expect("a free entry");
    }
    assert_eq!(owners_of(&store), [0, 1, u64::MAX]);
    for key in [0, u64::MAX, 1] {
        assert_eq!(find(&programs, &store, key).expect("an entry").key, key);
        assert_eq!(delete(&programs, &store, key), 0);
        assert_eq!(delete(&programs, &store, key), -ENOENT);
        assert!(find(&programs, &store, key).is_none(), "{key:#x}");
    }
}
