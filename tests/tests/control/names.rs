// SPDX-License-Identifier: GPL-2.0

//! OPEN, PIN, UNPIN and LIST: how a store is found, and for how long.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Barrier;
use std::thread;

use bpf_percpu::uapi;
use bpf_percpu::uapi::F_PINNED;
use bpf_percpu::uapi::F_REMOVED;
use libc::EBUSY;
use libc::EEXIST;
use libc::EINVAL;
use libc::ENOENT;
use tests::soak::is_soak;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::lives;
use tests::stores::name;
use tests::stores::Control;

use crate::witness::Witness;

fn open(name: [u8; 64], id: u32, flags: u32) -> Result<(), i32> {
    Control::new().open(&uapi::Open { name, id, flags })
}

#[test]
fn open_needs_one_key() {
    let witness = Witness::new();
    let id = witness.control.id();
    witness.refused("neither", open(name(""), 0, 0), EINVAL);
    witness.refused("both", open(name("witness"), id, 0), EINVAL);
    witness.refused("a flag", open(name("witness"), 0, 1), EINVAL);
    witness.refused("a flag", open(name(""), id, 1 << 31), EINVAL);
    witness.refused("a bad name", open(name("wit/ness"), 0, 0), EINVAL);
    witness.refused("64 bytes", open([b'w'; 64], 0, 0), EINVAL);
    let mut bytes = name("witness");
    bytes[40] = 1;
    witness.refused("something after the NUL", open(bytes, 0, 0), EINVAL);
    witness.refused("unknown name", open(name("witnes"), 0, 0), ENOENT);
    for id in [id + 1, id + 1024, id + 2048, u32::MAX] {
        witness.refused("unknown id", open(name(""), id, 0), ENOENT);
    }
    assert_eq!(open(name("witness"), 0, 0), Ok(()));
    assert_eq!(open(name(""), id, 0), Ok(()));
}

#[test]
fn a_name_is_taken_once() {
    let witness = Witness::new();
    let again = Control::new().create(&mut create_args("witness", 8));
    witness.refused("CREATE", again, EEXIST);
}

#[test]
fn files_share_a_store() {
    let one = Control::with("new", 16);
    let two = Control::new();
    two.open_name("new").expect("a store");
    assert_eq!(two.id(), one.id());
    assert_eq!(two.open_name("new"), Err(EBUSY));
    one.write(0, 0, &7u64.to_ne_bytes()).expect("a write");
    assert_eq!(two.u64_on(0, 0), 7);
    assert_eq!(one.info().expect("a store").refs, 2);
    let id = one.id();
    drop(one);
    assert_eq!(two.u64_on(0, 0), 7, "the other file keeps it");
    assert!(lives(id));
    drop(two);
    assert!(!lives(id));
}

#[test]
fn a_copy_of_the_descriptor_is_the_same_file() {
    let one = Control::with("new", 16);
    let id = one.id();
    // SAFETY: The call returned a new file descriptor.
    let two = unsafe {
        let fd = libc::dup(one.0.as_raw_fd());
        assert!(fd >= 0);
        Control(std::fs::File::from_raw_fd(fd))
    };
    assert_eq!(two.id(), id);
    assert_eq!(one.info().expect("a store").refs, 1);
    drop(one);
    assert!(lives(id));
    drop(two);
    assert!(!lives(id));
}

#[test]
fn a_pin_outlives_the_file() {
    let control = Control::new();
    let mut args = create_args("new", 16);
    args.flags = F_PINNED;
    let id = control.create(&mut args).expect("a new store");
    assert_eq!(control.info().map(|i| (i.flags, i.refs)), Ok((F_PINNED, 2)));
    assert_eq!(control.pin(), Ok(()), "it is pinned");
    assert_eq!(control.info().map(|i| (i.flags, i.refs)), Ok((F_PINNED, 2)));
    drop(control);
    assert!(lives(id));

    let control = Control::new();
    control.open_name("new").expect("a pinned store");
    assert_eq!(control.id(), id);
    assert_eq!(control.unpin(), Ok(()));
    assert_eq!(
        control.info().map(|i| (i.flags, i.refs)),
        Ok((F_REMOVED, 1))
    );
    assert_eq!(
        Control::new().open_name("new"),
        Err(ENOENT),
        "the name is free"
    );
    assert_eq!(control.unpin(), Err(ENOENT), "neither pinned nor named");
    assert!(lives(id), "the file keeps it");
    drop(control);
    assert!(!lives(id));
}

#[test]
fn pin_brings_the_name_back() {
    let first = Control::with("new", 16);
    assert_eq!(first.unpin(), Ok(()), "a name without a pin");
    let second = Control::with("new", 16);
    assert_ne!(first.id(), second.id());
    assert_eq!(first.pin(), Err(EEXIST));
    assert_eq!(first.info().map(|i| i.flags), Ok(F_REMOVED), "as before");
    drop(second);
    assert_eq!(first.pin(), Ok(()));
    assert_eq!(first.info().map(|i| i.flags), Ok(F_PINNED));
    let third = Control::new();
    third.open_name("new").expect("a pinned store");
    assert_eq!(third.id(), first.id());
    assert_eq!(third.unpin(), Ok(()));
}

/// Creating and removing names neither hides another name nor allows it to be used twice.
#[test]
fn names_come_and_go() {
    let stay: Vec<_> = (0..200)
        .map(|i| Control::with(&format!("stay{i}"), 8))
        .collect();
    for i in 0..if is_soak() { 20_000u32 } else { 4_000 } {
        let go = Control::with(&format!("go-{}", i.wrapping_mul(0x9e37_79b1)), 8);
        if i % 64 != 0 {
            continue;
        }
        let name = &format!("stay{}", i / 64 % 200);
        let other = Control::new();
        assert_eq!(other.open_name(name), Ok(()), "after {i} others");
        assert_eq!(other.id(), stay[(i / 64 % 200) as usize].id());
        assert_eq!(
            Control::new().create(&mut create_args(name, 8)),
            Err(EEXIST)
        );
        drop(go);
        assert_eq!(Control::new().open_name("unknown"), Err(ENOENT));
    }
}

#[test]
fn lists_each_once() {
    let stores: Vec<_> = (0..37)
        .map(|i| Control::with(&format!("s{i}"), 8 + i))
        .collect();
    let ids: Vec<_> = stores.iter().map(Control::id).collect();
    for step in [1, 2, 7, 36, 37, 38, 1000] {
        let seen = list(step);
        assert_eq!(
            seen.iter().map(|i| i.id).collect::<Vec<_>>(),
            ids,
            "{step} at a time"
        );
        for (i, info) in seen.iter().enumerate() {
            assert_eq!(info.name, name(format!("s{i}")));
            assert_eq!((info.size, info.flags, info.refs), (8 + i as u32, 0, 1));
        }
    }
    let mut args = uapi::List {
        infos: 0,
        count: 0,
        cursor: 0,
    };
    let result = Control::new().call(uapi::IOC_LIST, (&raw mut args) as u64);
    assert_eq!(result, Err(EINVAL), "no room");
    for cursor in [1 << 20, u32::MAX] {
        let mut args = uapi::List {
            infos: 0,
            count: 5,
            cursor,
        };
        let result = Control::new().call(uapi::IOC_LIST, (&raw mut args) as u64);
        assert_eq!(
            (result, args.count, args.cursor),
            (Ok(()), 0, 0),
            "past all"
        );
    }
}

#[test]
fn lists_what_stays_while_others_come_and_go() {
    let stay: Vec<_> = (0..20)
        .map(|i| Control::with(&format!("stay{i}"), 8))
        .collect();
    let ids: BTreeSet<_> = stay.iter().map(Control::id).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut i = 0u32;
            while !done.load(Relaxed) {
                let _ = [0, 1, 2].map(|j| Control::with(&format!("go{i}-{j}"), 8));
                i += 1;
            }
        });
        for step in (1..10).cycle().take(500) {
            let seen: Vec<_> = list(step)
                .iter()
                .map(|i| i.id)
                .filter(|i| ids.contains(i))
                .collect();
            assert_eq!(seen, ids.iter().copied().collect::<Vec<_>>());
        }
        done.store(true, Relaxed);
    });
}

/// Races threads to create one name, and returns those that succeeded.
#[test]
fn one_creator_wins() {
    const THREADS: usize = 6;
    for round in 0..if is_soak() { 400 } else { 50 } {
        let barrier = Barrier::new(THREADS);
        let results: Vec<_> = thread::scope(|scope| {
            let creators: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let control = Control::new();
                        barrier.wait();
                        let result = control.create(&mut create_args("race", 8));
                        (result, control)
                    })
                })
                .collect();
            creators
                .into_iter()
                .map(|c| c.join().expect("no panic"))
                .collect()
        });
        let won = results.iter().filter(|(result, _)| result.is_ok()).count();
        let lost = results
            .iter()
            .filter(|(result, _)| *result == Err(EEXIST))
            .count();
        assert_eq!((won, lost), (1, THREADS - 1), "round {round}");
    }
    assert_eq!(list(8).len(), 0);
}

/// Threads race to create stores through the same file, and only one of them succeeds.
#[test]
fn one_call_wins_a_file() {
    const THREADS: usize = 6;
    for _ in 0..100 {
        let control = Control::new();
        let barrier = Barrier::new(THREADS);
        let results: Vec<_> = thread::scope(|scope| {
            let calls: Vec<_> = (0..THREADS)
                .map(|i| {
                    let (control, barrier) = (&control, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        control.create(&mut create_args(format!("file{i}"), 8))
                    })
                })
                .collect();
            calls
                .into_iter()
                .map(|c| c.join().expect("no panic"))
                .collect()
        });
        let won: Vec<_> = results.iter().flatten().collect();
        assert_eq!(won, [&control.id()]);
        assert!(
            results.iter().all(|r| matches!(r, Ok(_) | Err(EBUSY))),
            "{results:?}"
        );
        assert_eq!(list(8).len(), 1);
    }
}
