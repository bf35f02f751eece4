// SPDX-License-Identifier: GPL-2.0

//! Many tasks start, get entries, and end, while a few stay.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use tests::cpus::soon;
use tests::object;

use crate::pace::Pace;
use crate::programs::programs;
use crate::tasks::call;
use crate::tasks::tid;
use crate::tasks::ShortLived;
use tests::kernel::is_debug;
use tests::soak::is_soak;

/// `CALLS` of `many_tasks.bpf.c`.
const CALLS: u32 = 2;
const WORKERS: u32 = 4;

/// The number of tasks. Fewer on the debug kernel, which is slow.
fn many() -> u32 {
    match (is_soak(), is_debug()) {
        (true, false) => 100_000,
        (true, true) => 10_000,
        (false, false) => 5_000,
        (false, true) => 1_000,
    }
}

/// Fewer entries than tasks, so that they are used again.
fn entries() -> u32 {
    many().next_power_of_two() / 4
}

/// `counts` of `many_tasks.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Counts {
    created: u64,
    not_created: u64,
    inherited: u64,
    ended: u64,
    miscounted: u64,
}

/// The owners of entries, with the number in each entry.
fn owners(store: &Store) -> BTreeMap<u64, u64> {
    let entries = store.entries().expect("a keyed store");
    let entries = entries.map(|entry| entry.expect("an entry"));
    // The owner may have ended since.
    entries
        .filter_map(|(owner, entry)| Some((owner, entry.sum_u64(0).ok()?)))
        .collect()
}

#[test]
fn tasks_come_and_go() {
    let start = Instant::now();
    let store = Options::new("many_tasks", 16)
        .keyed(KeyKind::Task, entries())
        .create()
        .expect("a store");
    let programs = programs(object!("keyed_stress-many_tasks"), &["called"], store.id());
    let link = programs.program().attach().expect("the kernel has BPF LSM");
    let (pace, stay) = (Pace::new(&store), AtomicBool::new(true));
    let (begun, done, tasks) = (AtomicU32::new(0), AtomicU32::new(0), many());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut short_lived = ShortLived::new();
                    let mut calls = 0;
                    while begun.fetch_add(1, Relaxed) < tasks {
                        pace.wait();
                        short_lived.run(CALLS);
                        call();
                        calls += 1;
                    }
                    call();
                    done.fetch_add(1, Relaxed);
                    while stay.load(Relaxed) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    (tid(), calls + 1)
                })
            })
            .collect();
        let finished = || workers.iter().any(thread::ScopedJoinHandle::is_finished);
        while done.load(Relaxed) < WORKERS && !finished() {
            pace.look();
        }
        let settled = soon(|| {
            let info = store.keyed_info().expect("a keyed store");
            (info.used, info.waiting) == (WORKERS, 0)
        });
        let (info, left) = (store.keyed_info(), owners(&store));
        stay.store(false, Relaxed);
        let workers = workers.into_iter().map(|w| w.join().expect("no panic"));
        let expected: BTreeMap<u64, u64> = workers.collect();
        assert!(settled, "{info:?}, owners {left:?}");
        assert_eq!(left, expected, "what those have counted that are alive");
        let info = info.expect("a keyed store");
        assert_eq!((info.full, info.locked), (0, 0));
    });
    drop(link);

    println!("{tasks} tasks in {:?}, {pace:?}", start.elapsed());
    let expected = Counts {
        created: u64::from(tasks + WORKERS),
        not_created: 0,
        inherited: 0,
        ended: tasks.into(),
        miscounted: 0,
    };
    assert_eq!(programs.global::<Counts>(".bss", 0), expected);
    // When the workers end, their entries go, too.
    let is_free = || {
        let info = store.keyed_info().expect("a keyed store");
        (info.used, info.waiting) == (0, 0)
    };
    assert!(soon(is_free), "{:?}", store.keyed_info());
}
