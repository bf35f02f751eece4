// SPDX-License-Identifier: GPL-2.0

//! Entries in each type of program.

use std::hint::black_box;
use std::os::fd::IntoRawFd;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use tests::attach::cpu_clock;
use tests::attach::trigger;
use tests::bpf::load;
use tests::bpf::Loaded;
use tests::cpus;
use tests::object;

use crate::call::info;
use crate::call::owners_of;
use crate::call::KINDS;
use crate::owner::Owner;

/// Mirrors the program's variable `counted`: its input and results.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Counted {
    tid: u64,
    cgroup: u64,
    ids: [u32; 3],
    started: u32,
    done: u32,
    wrong: i32,
}

/// Values of `done`: the entries in which the program has counted.
const CURRENT: u32 = 1;
const ALL: u32 = 2;

/// A program, its stores, and the owners of their entries.
struct Counting {
    program: Loaded,
    stores: [Store; 3],
    owners: [Owner; 2],
}

impl Counting {
    fn new(program: &'static str) -> Self {
        let stores = KINDS.map(|kind| {
            let name = kind.to_string();
            let store = Options::new(&name, 8).keyed(kind, 2).create();
            store.unwrap_or_else(|e| panic!("{e}"))
        });
        let program = load(object!("keyed-program_types"), program)
            .unwrap_or_else(|log| panic!("{program} does not load: {log}"));
        let owners = [KeyKind::Task, KeyKind::Cgroup].map(|kind| Owner::new(kind, 0));
        let counted = Counted {
            tid: owners[0].number,
            cgroup: owners[1].number,
            ids: stores.each_ref().map(Store::id),
            ..Default::default()
        };
        program.set_global(".bss", 0, counted);
        Self {
            program,
            stores,
            owners,
        }
    }

    fn counted(&self) -> Counted {
        self.program.global(".bss", 0)
    }

    fn check(&self, which: u32) {
        assert!(
            cpus::soon(|| self.counted().done != 0),
            "the program did not run"
        );
        let counted = self.counted();
        assert_eq!(counted.wrong, 0, "the line of what is wrong");
        assert_eq!(counted.done, which);
        let sum = |store: &Store, owner| {
            store
                .entry(owner)
                .expect("a keyed store")
                .sum_u64(0)
                .expect("an entry")
        };
        let [tasks, cgroups, numbers] = &self.stores;
        assert_eq!(sum(numbers, 7), 2);
        assert_eq!(info(numbers).used, 1);
        if which == ALL {
            assert_eq!(sum(tasks, self.owners[0].number), 1);
            assert_eq!(sum(cgroups, self.owners[1].number), 1);
        } else {
            // Any task may have run the program.
            let owners = owners_of(tasks);
            assert_eq!(owners.len(), 1);
            assert_eq!(sum(tasks, owners[0]), 1);
        }
        for store in &self.stores {
            assert_eq!((info(store).full, info(store).locked), (0, 0));
        }
    }
}

fn check_attached(program: &'static str, which: u32) {
    let counting = Counting::new(program);
    let _link = counting
        .program
        .program()
        .attach()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    trigger();
    counting.check(which);
}

/// A test for each type of program that is attached.
macro_rules! attached {
    ($($name:ident: $which:ident;)+) => {
        $(
            #[test]
            fn $name() {
                check_attached(stringify!($name), $which);
            }
        )+
    };
}

attached! {
    kprobe: CURRENT;
    kretprobe: CURRENT;
    tracepoint: ALL;
    raw_tp: ALL;
    tp_btf: ALL;
    fentry: ALL;
    fexit: ALL;
    lsm: ALL;
    fentry_s: ALL;
    lsm_s: ALL;
}

/// A test for each type of program that gets a packet.
macro_rules! on_packet {
    ($($name:ident: $which:ident;)+) => {
        $(
            #[test]
            fn $name() {
                let counting = Counting::new(stringify!($name));
                counting.program.run_on_packet();
                counting.check($which);
            }
        )+
    };
}

on_packet! {
    xdp: ALL;
    tc: ALL;
    cgroup_skb: ALL;
    socket: CURRENT;
}

#[test]
fn syscall() {
    let counting = Counting::new("syscall");
    counting.program.run();
    counting.check(ALL);
}

#[test]
fn perf_event() {
    let counting = Counting::new("perf_event");
    let event = cpu_clock();
    let _link = counting
        .program
        .program()
        .attach_perf_event(event.into_raw_fd())
        .expect("a link");
    for i in 0..100_000_000_u64 {
        black_box(i);
        if i % 1_000_000 == 0 && counting.counted().done != 0 {
            break;
        }
    }
    counting.check(ALL);
}
