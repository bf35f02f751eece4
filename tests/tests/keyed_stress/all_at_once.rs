// SPDX-License-Identifier: GPL-2.0

//! Stores are dropped and owners end while programs use both, all at the same time. Then the
//! programs' map goes with the entries in it, and sometimes the module.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Barrier;
use std::sync::RwLock;
use std::sync::RwLockWriteGuard;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bpf_percpu::store::list;
use bpf_percpu::store::Store;
use tests::cpus::soon;
use tests::memory::percpu;
use tests::memory::Group;
use tests::module;
use tests::random::Random;

use crate::meet::Cgroup;
use crate::meet::Counts;
use crate::meet::Programs;
use crate::meet::Stores;
use crate::tasks::call;
use crate::tasks::ShortLived;
use crate::unload::assert_free;
use tests::soak::is_soak;

/// The number of rounds.
fn many() -> u32 {
    match is_soak() {
        true => 1000,
        false => 60,
    }
}

/// The number of rounds after which the map of the programs goes, and after which the module.
const MAP: u32 = 10;
const MODULE: u32 = 50;

/// The number of tasks with entries, of threads that run programs, and of entries in each store.
const OWNERS: u32 = 4;
const CHURNERS: u32 = 2;
const ENTRIES: u32 = 512;

/// In every `LATE`th round a program finds a store, and creates an entry after the store was
/// dropped.
const LATE: u32 = 20;

/// What goes first in a round.
#[derive(Debug, Clone, Copy)]
enum First {
    Anybody,
    Store,
    StoreInUse,
    Owner,
    Program,
}

/// What goes away in a round.
struct Round<'a> {
    programs: &'a Programs,
    stores: Stores,
    cgroup: Cgroup,
    /// The owners end when this does.
    stay: RwLockWriteGuard<'a, ()>,
    /// The number of owners that have ended.
    ended: &'a AtomicU32,
}

impl Round<'_> {
    fn drop_stores(programs: &Programs, stores: Stores) {
        stores.unpin();
        programs.set_dropped();
    }

    /// Drops the stores while a program uses one of them.
    fn drop_used_stores(programs: &Programs, stores: Stores) {
        let before = programs.counts().waiting;
        thread::scope(|scope| {
            scope.spawn(|| programs.create_late());
            assert!(soon(|| programs.counts().waiting > before));
            Self::drop_stores(programs, stores);
        });
    }

    /// Removes everything, each part some time after the one before.
    fn go(self, first: First, random: &mut Random) {
        match first {
            First::Anybody => return self.go_at_once(random),
            First::StoreInUse => {
                Self::drop_used_stores(self.programs, self.stores);
                drop(self.stay);
            }
            First::Store => {
                Self::drop_stores(self.programs, self.stores);
                drop(self.stay);
            }
            First::Owner => {
                drop(self.stay);
                assert!(soon(|| self.ended.load(Relaxed) == OWNERS));
                Self::drop_stores(self.programs, self.stores);
            }
            First::Program => {
                self.stores.delete_all();
                Self::drop_stores(self.programs, self.stores);
                drop(self.stay);
            }
        }
        self.cgroup.remove();
    }

    fn go_at_once(self, random: &mut Random) {
        let Self {
            programs,
            stores,
            cgroup,
            stay,
            ..
        } = self;
        let [_, _, keys] = stores.ids();
        let begin = Barrier::new(5);
        let mut waits = [0; 5].map(|_| random.below(2000));
        waits[random.below(5)] = 0;
        let after = |i: usize| {
            begin.wait();
            for _ in 0..waits[i] {
                std::hint::spin_loop();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                after(0);
                Self::drop_stores(programs, stores);
            });
            scope.spawn(|| {
                after(1);
                cgroup.remove();
            });
            scope.spawn(|| {
                after(2);
                // The entry may be gone.
                let Ok(store) = Store::open_id(keys) else {
                    return;
                };
                for entry in store.entries().expect("a keyed store") {
                    let _ = entry.expect("an entry").1.delete();
                }
            });
            scope.spawn(|| {
                after(3);
                ShortLived::new().run(1);
            });
            after(4);
            drop(stay);
        });
    }
}

/// Owners get entries in new stores. Then stores, owners and programs go at the same time.
fn round(programs: &Programs, number: u32, random: &mut Random) {
    let stores = Stores::new(ENTRIES);
    programs.use_stores(&stores);
    let cgroup = Cgroup::new(&format!("meet{number}"));
    programs.use_cgroup(&cgroup, CHURNERS);
    let (ready, end) = (Barrier::new(OWNERS as usize + 1), RwLock::new(()));
    let (stay, ended) = (end.write().expect("no panic"), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..OWNERS {
            scope.spawn(|| {
                call();
                ready.wait();
                drop(end.read());
                ended.fetch_add(1, Relaxed);
            });
        }
        ready.wait();
        let round = Round {
            programs,
            stores,
            cgroup,
            stay,
            ended: &ended,
        };
        let order = match number % 4 {
            _ if number % LATE == 0 => First::StoreInUse,
            0 => First::Store,
            1 => First::Owner,
            2 => First::Program,
            _ => First::Anybody,
        };
        round.go(order, random);
    });
}

/// Runs rounds with one map, which goes together with the stores of the last round.
fn run(numbers: std::ops::Range<u32>, random: &mut Random) -> Counts {
    let (programs, stop) = (Programs::new(), AtomicBool::new(false));
    let last = numbers.end;
    thread::scope(|scope| {
        for number in 0..CHURNERS {
            let (programs, stop) = (&programs, &stop);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    programs.churn(number);
                    // Leave the CPU to the other threads.
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        for number in numbers {
            round(&programs, number, random);
        }
        stop.store(true, Relaxed);
    });
    let counts = programs.counts();
    end_with_map(programs, last);
    counts
}

/// Removes stores, their owners, and the map with entries; sometimes the module as well.
fn end_with_map(programs: Programs, number: u32) {
    let stores = Stores::new(ENTRIES);
    programs.use_stores(&stores);
    let cgroup = Cgroup::new("meet_map");
    programs.use_cgroup(&cgroup, CHURNERS);
    programs.churn(0);
    let (ready, go) = (
        Barrier::new(OWNERS as usize + 1),
        Barrier::new(OWNERS as usize + 3),
    );
    thread::scope(|scope| {
        for _ in 0..OWNERS {
            scope.spawn(|| {
                call();
                ready.wait();
                go.wait();
            });
        }
        ready.wait();
        scope.spawn(|| {
            go.wait();
            cgroup.remove();
        });
        scope.spawn(|| {
            go.wait();
            stores.unpin();
        });
        go.wait();
        drop(programs);
        if number % MODULE == 0 {
            module::remove_soon();
        }
    });
    if number % MODULE == 0 {
        module::insert(module::FILE).expect("insmod");
    }
}

#[test]
fn all_at_once() {
    let (start, before) = (Instant::now(), percpu());
    let group = Group::new("all_at_once");
    let mut random = Random::new(1);
    let (mut all, rounds) = (Counts::default(), many());
    group.run(|| {
        for first in (0..rounds).step_by(MAP as usize) {
            all.add(run(first..first + MAP, &mut random));
        }
    });
    println!("{rounds} rounds in {:?}: {all:?}", start.elapsed());
    assert_eq!((all.dirty, all.miscounted, all.changed), (0, 0, 0));
    // The races that the rounds are about have happened.
    let done = [all.created, all.deleted, all.iterated, all.kept];
    assert!(done.iter().all(|count| *count >= rounds.into()), "{all:?}");
    let late = u64::from(rounds / LATE);
    assert_eq!((all.waiting, all.created_late), (late, late));
    let is_empty = || list().expect("a list").is_empty();
    assert!(soon(is_empty), "{:?}", list());
    assert_free(&group, before);
}
