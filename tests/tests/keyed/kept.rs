// SPDX-License-Identifier: GPL-2.0

//! An entry to which a program holds a reference outlives its deletion and its owner.

use bpf_percpu::store::Store;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus::soon;
use tests::object;
use tests::stores::lives;

use crate::call::bytes;
use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::find;
use crate::call::info;
use crate::call::on_cpu;
use crate::call::store;
use crate::call::wait_until_free;
use crate::call::Call;
use crate::call::KINDS;
use crate::call::NO_ENTRY;
use crate::owner::Owner;

fn kept() -> Loaded {
    load_some(object!("keyed-kept"), &["keep", "use_kept", "let_go"])
        .unwrap_or_else(|log| panic!("{log}"))
}

/// Adds to the kept entry on CPU 0.
fn add(kept: &Loaded, val: u64) -> Call {
    let call = Call {
        val,
        ..Default::default()
    };
    let (ret, done) = on_cpu(0, || call.run(kept, "use_kept"));
    assert_eq!((ret, done.error), (0, 0), "{done:?}");
    done
}

fn keep(kept: &Loaded, store: &Store, owner: u64) {
    assert_eq!(Call::new(store, owner).run(kept, "keep").0, 0);
}

fn let_go(kept: &Loaded) -> u32 {
    Call::default().run(kept, "let_go").0
}

#[test]
fn a_deleted_one_stays_while_it_is_used() {
    let (programs, kept) = (calls(&["find", "delete"]), kept());
    for kind in KINDS {
        let store = store(kind, 16, 1);
        let owners = Owner::several(kind, 2);
        let (one, other) = (owners[0].number, owners[1].number);
        let entry = create(&programs, &store, one).expect("a free entry");
        keep(&kept, &store, one);
        assert_eq!(add(&kept, 5).result, 5);

        assert_eq!(delete(&programs, &store, one), 0);
        assert!(find(&programs, &store, one).is_none());
        let done = add(&kept, 7);
        assert_eq!(done.result, 12, "{kind}: its bytes are gone");
        assert_eq!((done.entry, done.key), (entry.entry, entry.key));
        assert_eq!((done.entry_id, done.entry_size), (store.id(), 16));
        assert_eq!((info(&store).used, info(&store).waiting), (0, 1));
        for owner in [one, other] {
            assert!(create(&programs, &store, owner).is_none(), "{kind}");
        }
        assert_eq!(info(&store).full, 2);
        assert_eq!(add(&kept, 0).result, 12);

        assert_eq!(let_go(&kept), 0);
        wait_until_free(&store);
        create(&programs, &store, other).expect("a free entry");
        assert!(bytes(&store, other).concat().iter().all(|byte| *byte == 0));
    }
}

#[test]
fn it_stays_when_its_owner_goes() {
    let (programs, kept) = (calls(&["find"]), kept());
    for kind in KINDS {
        let store = store(kind, 16, 1);
        let owner = Owner::new(kind, 0);
        if !owner.ends() {
            continue;
        }
        create(&programs, &store, owner.number).expect("a free entry");
        keep(&kept, &store, owner.number);
        add(&kept, 5);
        drop(owner);
        assert!(soon(|| info(&store).used == 0), "{kind}");
        assert_eq!(add(&kept, 7).result, 12);
        assert_eq!(info(&store).waiting, 1);
        let other = Owner::new(kind, 1);
        assert!(create(&programs, &store, other.number).is_none());
        assert_eq!(let_go(&kept), 0);
        wait_until_free(&store);
        create(&programs, &store, other.number).expect("a free entry");
    }
}

/// A reference to an entry that is not deleted has no effect, and does not keep the store's name.
#[test]
fn a_map_that_ends_gives_it_back() {
    let programs = calls(&["find", "delete"]);
    for kind in KINDS {
        let store = store(kind, 16, 1);
        let owner = Owner::new(kind, 0);
        create(&programs, &store, owner.number).expect("a free entry");
        let kept = kept();
        keep(&kept, &store, owner.number);
        assert_eq!(let_go(&kept), 0);
        assert_eq!(let_go(&kept), NO_ENTRY);
        assert!(find(&programs, &store, owner.number).is_some());
        keep(&kept, &store, owner.number);
        add(&kept, 3);
        assert_eq!(
            store
                .entry(owner.number)
                .expect("a keyed store")
                .sum_u64(0)
                .expect("a sum"),
            3
        );
        assert_eq!(delete(&programs, &store, owner.number), 0);
        assert_eq!(info(&store).waiting, 1);
        drop(kept);
        wait_until_free(&store);
        create(&programs, &store, owner.number).expect("a free entry");
    }
}

/// The memory of an entry exists as long as a reference to it, even after the store is gone.
#[test]
fn it_outlives_its_store() {
    let (programs, kept) = (calls(&["find"]), kept());
    for kind in KINDS {
        let store = store(kind, 16, 2);
        let owner = Owner::new(kind, 0);
        create(&programs, &store, owner.number).expect("a free entry");
        keep(&kept, &store, owner.number);
        add(&kept, 5);
        let id = store.id();
        drop(store);
        assert!(!lives(id), "{kind}");
        assert_eq!(add(&kept, 7).result, 12);
        drop(owner);
        assert_eq!(add(&kept, 1).result, 13);
        assert_eq!(let_go(&kept), 0);
    }
}
