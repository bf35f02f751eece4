// SPDX-License-Identifier: GPL-2.0

//! Stores in each type of program.

use std::hint::black_box;
use std::os::fd::IntoRawFd;

use tests::attach::cpu_clock;
use tests::attach::trigger;
use tests::bpf::load;
use tests::bpf::Loaded;
use tests::cpus;
use tests::object;
use tests::stores::Control;

/// Mirrors the program's variable `counted`: its input and results.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Counted {
    id: u32,
    started: u32,
    done: u32,
    missing: u32,
}

/// The fields of `struct counts`: the offset of each counter, and how often the program counts in
/// it.
const COUNTS: [(u32, &str, u64); 5] = [
    (0, "by id", 1),
    (8, "by a handle from get", 1),
    (16, "by handles from lookup and acquire", 3),
    (24, "on a view", 1),
    (32, "on bpf_percpu_data()", 1),
];

/// A program and its store.
struct Counting {
    program: Loaded,
    store: Control,
}

impl Counting {
    fn new(program: &'static str) -> Self {
        let store = Control::with("program_types", 40);
        let program = load(object!("store-program_types"), program)
            .unwrap_or_else(|log| panic!("{program} does not load: {log}"));
        let counted = Counted {
            id: store.id(),
            ..Default::default()
        };
        program.set_global(".bss", 0, counted);
        Self { program, store }
    }

    fn counted(&self) -> Counted {
        self.program.global(".bss", 0)
    }

    fn check(&self) {
        assert!(
            cpus::soon(|| self.counted().done != 0),
            "the program did not run"
        );
        let counted = self.counted();
        assert_eq!(counted.missing, 0, "{counted:?}");
        for (off, way, count) in COUNTS {
            assert_eq!(self.store.u64_on(counted.done - 1, off), count, "{way}");
            assert_eq!(self.store.sum(off), count, "{way}, on another CPU");
        }
    }
}

fn check_on_packet(program: &'static str) {
    let counting = Counting::new(program);
    counting.program.run_on_packet();
    counting.check();
}

fn check_attached(program: &'static str) {
    let counting = Counting::new(program);
    let _link = counting
        .program
        .program()
        .attach()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    trigger();
    counting.check();
}

#[test]
fn xdp() {
    check_on_packet("xdp");
}

#[test]
fn tc() {
    check_on_packet("tc");
}

#[test]
fn cgroup_skb() {
    check_on_packet("cgroup_skb");
}

#[test]
fn syscall() {
    let counting = Counting::new("syscall");
    counting.program.run();
    counting.check();
}

#[test]
fn kprobe() {
    check_attached("kprobe");
}

#[test]
fn tp_btf() {
    check_attached("tp_btf");
}

#[test]
fn raw_tp() {
    check_attached("raw_tp");
}

#[test]
fn fentry() {
    check_attached("fentry");
}

#[test]
fn lsm() {
    check_attached("lsm");
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
    counting.check();
}
