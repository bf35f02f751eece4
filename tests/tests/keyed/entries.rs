// SPDX-License-Identifier: GPL-2.0

//! Entries: only its owner finds an entry, which has a copy for each CPU and exists until it is
//! deleted.

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use bpf_percpu::uapi::MAX_SIZE;
use libc::EINVAL;
use libc::ENOENT;
use libc::ERANGE;
use tests::bpf::Loaded;
use tests::cpus;

use crate::call::bytes;
use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::find;
use crate::call::info;
use crate::call::on_cpu;
use crate::call::owners_of;
use crate::call::store;
use crate::call::wait_until_free;
use crate::call::with_image;
use crate::call::Call;
use crate::call::Op;
use crate::call::Way;
use crate::call::KINDS;
use crate::call::NO_VIEW;
use crate::call::OPS;
use crate::call::WAYS;
use crate::owner::Owner;

const SIZE: u32 = 40;

/// The copies of a new entry of `SIZE` bytes whose image is `image`.
fn initial(image: &[u8]) -> Vec<Vec<u8>> {
    let mut copy = image.to_vec();
    copy.resize(SIZE as usize, 0);
    vec![copy; cpus::sysfs("possible").len()]
}

/// The copy of each CPU in the entry of `owner`, as BPF programs read it.
fn bytes_by_bpf(programs: &Loaded, store: &Store, owner: u64) -> Vec<Vec<u8>> {
    let word = |cpu, off| {
        let call = Call {
            cpu,
            off,
            ..Call::new(store, owner)
        };
        let (ret, done) = call.run(programs, "read_u64");
        assert_eq!(ret, 0, "{done:?}");
        done.result.to_ne_bytes()
    };
    let offsets = || (0..store.size()).step_by(8);
    cpus::sysfs("possible")
        .into_iter()
        .map(|cpu| offsets().flat_map(|off| word(cpu, off)).collect())
        .collect()
}

#[test]
fn each_owner_has_one() {
    let programs = calls(&["find", "read_u64"]);
    for kind in KINDS {
        for image in [&[][..], &[0x5a; 13], &[0xa5; SIZE as usize]] {
            let store = with_image(kind, SIZE, 3, image);
            let owners = Owner::several(kind, 3);
            let mut entries = Vec::new();
            for owner in &owners {
                assert!(find(&programs, &store, owner.number).is_none());
                assert_eq!(info(&store).used as usize, entries.len(), "{kind}");
                let entry = create(&programs, &store, owner.number).expect("a free entry");
                assert_eq!(bytes(&store, owner.number), initial(image), "{kind}");
                assert_eq!(
                    bytes_by_bpf(&programs, &store, owner.number),
                    initial(image)
                );
                // A write to one entry does not affect the others.
                store
                    .entry(owner.number)
                    .expect("a keyed store")
                    .write_all(0, &[0xee; SIZE as usize])
                    .expect("an entry");
                entries.push(entry.entry);
            }
            for (owner, entry) in owners.iter().zip(&entries) {
                let again = find(&programs, &store, owner.number).expect("the entry");
                assert_eq!(again.entry, *entry, "{kind}: another is found");
                let again = create(&programs, &store, owner.number).expect("the entry");
                assert_eq!(again.entry, *entry, "{kind}: another is created");
            }
            let mut numbers: Vec<u64> = owners.iter().map(|owner| owner.number).collect();
            numbers.sort();
            assert_eq!(owners_of(&store), numbers);
            entries.sort();
            entries.dedup();
            assert_eq!(entries.len(), 3, "{kind}: owners share entries");
            let info = info(&store);
            assert_eq!((info.entries, info.used, info.waiting), (3, 3, 0), "{kind}");
            assert_eq!((info.full, info.locked), (0, 0), "{kind}");
        }
    }
}

/// The expected outcome of an operation: error, result, and the new value.
fn model(call: &Call, op: Op, was: u64, sum: u64) -> (i32, u64, u64) {
    let (width, max) = (call.bits / 8, u64::MAX >> (64 - call.bits));
    if u64::from(call.off) + u64::from(width) > u64::from(SIZE) {
        return (-ERANGE, call.result, was);
    }
    if call.off % width != 0 {
        return (-EINVAL, call.result, was);
    }
    let val = call.val & max;
    let added = was.wrapping_add(val) & max;
    match op {
        Op::Add => (0, call.result, added),
        Op::AddReturn => (0, added, added),
        Op::Xchg => (0, was, val),
        Op::Cmpxchg if was == call.expect => (0, was, val),
        Op::Cmpxchg => (0, was, was),
        Op::Sum => (0, sum & max, was),
    }
}

/// The number of `bits` bits at `off`. Bytes past the end of the copy are left out.
fn number(copy: &[u8], off: u32, bits: u32) -> u64 {
    let bytes = copy.get(off as usize..).unwrap_or(&[]);
    let mut word = [0; 8];
    let len = bytes.len().min(bits as usize / 8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_ne_bytes(word)
}

/// Runs `call` on `cpu`, and checks its results and every byte of the entry.
fn check(programs: &Loaded, store: &Store, op: Op, way: Way, cpu: u32, call: Call) {
    let mut expected = bytes(store, call.owner);
    let was = number(&expected[cpu as usize], call.off, call.bits);
    let numbers = expected
        .iter()
        .map(|copy| number(copy, call.off, call.bits));
    let sum = numbers.fold(0, u64::wrapping_add);
    let call = Call {
        way: way as u32,
        op: op as u32,
        result: 0x1234_5678,
        ..call
    };
    let (error, result, now) = model(&call, op, was, sum);
    let (ret, done) = on_cpu(cpu, || call.run(programs, "operate"));
    if way == Way::View && error == -ERANGE {
        assert_eq!(ret, NO_VIEW, "{done:?}");
    } else {
        assert_eq!((ret, done.error), (0, error), "{done:?}");
        assert_eq!(done.result, result, "{done:?}");
    }
    if now != was {
        let len = call.bits as usize / 8;
        expected[cpu as usize][call.off as usize..][..len]
            .copy_from_slice(&now.to_ne_bytes()[..len]);
    }
    assert_eq!(bytes(store, call.owner), expected, "{done:?}");
}

#[test]
fn every_operation_works_on_it() {
    let programs = calls(&["find", "operate"]);
    let possible: Vec<u32> = cpus::sysfs("possible").into_iter().collect();
    let whole: Vec<u32> = (0..possible.len() as u32).collect();
    assert_eq!(possible, whole, "copies are found by their CPU");
    for kind in KINDS {
        let store = store(kind, SIZE, 2);
        let owners = Owner::several(kind, 2);
        let (one, other) = (owners[0].number, owners[1].number);
        for owner in [one, other] {
            create(&programs, &store, owner).expect("a free entry");
            for cpu in &possible {
                let copy: Vec<u8> = (0..SIZE).map(|i| (i * 7 + cpu * 41 + 0xc0) as u8).collect();
                store
                    .entry(owner)
                    .expect("a keyed store")
                    .write(*cpu, 0, &copy)
                    .expect("an entry");
            }
        }
        let before = bytes(&store, other);
        for (i, off) in [0, 4, 32, 36, 3, 33, 38, SIZE, u32::MAX - 3, u32::MAX]
            .into_iter()
            .enumerate()
        {
            let cpu = possible[i % possible.len()];
            for way in WAYS {
                for op in OPS {
                    for bits in [32, 64] {
                        // A view has no sum, and its only error is that there is no view.
                        let skipped = op == Op::Sum || off % (bits / 8) != 0;
                        if way == Way::View && off < SIZE && skipped {
                            continue;
                        }
                        let here = number(&bytes(&store, one)[cpu as usize], off, bits);
                        for expect in [here, here ^ 1] {
                            let call = Call {
                                off,
                                bits,
                                expect,
                                val: 0xfedc_ba98_8765_4321,
                                ..Call::new(&store, one)
                            };
                            check(&programs, &store, op, way, cpu, call);
                        }
                    }
                }
            }
        }
        assert_eq!(
            bytes(&store, other),
            before,
            "{kind}: another's has changed"
        );
    }
}

/// A store with one entry reuses it each time.
#[test]
fn after_a_deletion_it_is_as_new() {
    let programs = calls(&["find", "delete"]);
    for kind in KINDS {
        for entries in [1, 3] {
            for image in [&[][..], &[0x5a; 13]] {
                let store = with_image(kind, SIZE, entries, image);
                let owners = Owner::several(kind, 2);
                for owner in [&owners[0], &owners[1], &owners[0]] {
                    let owner = owner.number;
                    assert_eq!(delete(&programs, &store, owner), -ENOENT);
                    create(&programs, &store, owner).expect("a free entry");
                    assert_eq!(bytes(&store, owner), initial(image), "{kind}");
                    store
                        .entry(owner)
                        .expect("a keyed store")
                        .write_all(0, &[0xee; SIZE as usize])
                        .expect("an entry");
                    assert_eq!(delete(&programs, &store, owner), 0);
                    assert!(find(&programs, &store, owner).is_none());
                    assert_eq!(delete(&programs, &store, owner), -ENOENT);
                    assert_eq!(info(&store).used, 0);
                    wait_until_free(&store);
                }
                let info = info(&store);
                assert_eq!((info.full, info.locked), (0, 0));
            }
        }
    }
}

/// User space can delete entries, too.
#[test]
fn what_user_space_deletes_is_gone() {
    let programs = calls(&["find", "delete"]);
    for kind in KINDS {
        let store = store(kind, SIZE, 2);
        let owners = Owner::several(kind, 2);
        for owner in &owners {
            create(&programs, &store, owner.number).expect("a free entry");
        }
        store
            .entry(owners[0].number)
            .expect("a keyed store")
            .delete()
            .expect("an entry");
        assert!(find(&programs, &store, owners[0].number).is_none());
        assert_eq!(delete(&programs, &store, owners[0].number), -ENOENT);
        assert!(store
            .entry(owners[0].number)
            .expect("a keyed store")
            .delete()
            .is_err());
        assert!(find(&programs, &store, owners[1].number).is_some());
        assert_eq!(owners_of(&store), [owners[1].number]);
    }
}

#[test]
fn the_store_itself_has_no_bytes() {
    let programs = calls(&["find", "operate_on_store", "by_id", "read_store"]);
    for kind in KINDS {
        let store = store(kind, SIZE, 1);
        let owner = Owner::new(kind, 0);
        create(&programs, &store, owner.number).expect("a free entry");
        for bits in [32, 64] {
            for off in [0, 8, u32::MAX - 7] {
                for op in OPS {
                    let call = Call {
                        op: op as u32,
                        off,
                        bits,
                        val: 1,
                        result: 42,
                        ..Call::new(&store, 0)
                    };
                    let (ret, done) = call.run(&programs, "operate_on_store");
                    assert_eq!((ret, done.error, done.result), (0, -ERANGE, 42), "{done:?}");
                    assert_eq!((done.entry_size, done.entry_id), (0, store.id()));
                }
                let view = Call {
                    way: Way::View as u32,
                    off,
                    bits,
                    ..Call::new(&store, 0)
                };
                assert_eq!(view.run(&programs, "operate_on_store").0, NO_VIEW);
                assert_eq!(view.run(&programs, "read_store").0, NO_VIEW);
                // bpf_percpu_data() returns fallback memory, which reads as zero.
                let call = Call { val: 1, ..view };
                let (ret, done) = call.run(&programs, "by_id");
                assert_eq!((ret, done.error, done.result), (0, -ERANGE, 0), "{done:?}");
            }
        }
        assert_eq!(bytes(&store, owner.number), initial(&[]));
    }
}

/// Entries of any size do not overlap, whether they are in one allocation or in several.
#[test]
fn many_and_large_entries() {
    let programs = calls(&["find"]);
    for (size, entries, looked_at) in [
        (MAX_SIZE, 5, 5_usize),
        (20 << 10, 5, 5),
        (MAX_SIZE / 2 + 1, 3, 3),
        (MAX_SIZE / 2, 5, 5),
        (8, 10_000, 200),
        (1, 10_000, 200),
        (61, 1100, 200),
    ] {
        let store = store(KeyKind::U64, size, entries);
        assert_eq!((store.size(), store.entry_count()), (size, Some(entries)));
        // The first, the last, and some in between.
        let step = entries as usize / looked_at;
        for key in 0..u64::from(entries) {
            create(&programs, &store, key).expect("a free entry");
        }
        assert!(create(&programs, &store, u64::MAX).is_none());
        assert_eq!((info(&store).used, info(&store).full), (entries, 1));
        let pattern = |key: u64, cpu: u32| {
            let first = key as u8 ^ ((cpu as u8) << 6) ^ (key >> 8) as u8;
            vec![first; size as usize]
        };
        let index_of = store.entries().expect("a keyed store");
        let index_of: Vec<(u64, Store)> = index_of.map(|e| e.expect("an entry")).collect();
        assert_eq!(index_of.len(), entries as usize);
        let possible: Vec<u32> = cpus::sysfs("possible").into_iter().collect();
        let some = || index_of.iter().step_by(step).chain(index_of.last());
        for (owner, entry) in some() {
            for cpu in &possible {
                let bytes = pattern(*owner, *cpu);
                entry.write(*cpu, 0, &bytes).expect("an entry");
            }
        }
        for (owner, entry) in some() {
            for (cpu, bytes) in entry.read_all(0, size).expect("an entry") {
                assert!(bytes == pattern(*owner, cpu), "{entry:?} of {size}");
            }
        }
    }
}

/// User space can write to the entries that it lists.
#[test]
fn lists_say_where_entries_are() {
    let programs = calls(&["find"]);
    for kind in KINDS {
        let store = store(kind, 8, 4);
        let owners = Owner::several(kind, 3);
        for owner in &owners {
            create(&programs, &store, owner.number).expect("a free entry");
        }
        for entry in store.entries().expect("a keyed store") {
            let (number, entry) = entry.expect("an entry");
            assert!(owners.iter().any(|owner| owner.number == number));
            entry
                .write_all(0, &number.to_ne_bytes())
                .expect("the entry");
        }
        for owner in &owners {
            let copies = bytes(&store, owner.number);
            assert!(copies.iter().all(|c| *c == owner.number.to_ne_bytes()));
        }
        for entry in store.entries().expect("a keyed store") {
            let (_, entry) = entry.expect("an entry");
            entry.delete().expect("the entry");
        }
        assert_eq!(info(&store).used, 0);
        wait_until_free(&store);
    }
}
