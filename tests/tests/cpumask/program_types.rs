// SPDX-License-Identifier: GPL-2.0

//! Getters and iterator in each type of program.

use std::hint::black_box;
use std::os::fd::IntoRawFd;

use tests::attach::cpu_clock;
use tests::attach::trigger;
use tests::bpf::load;
use tests::bpf::Loaded;
use tests::cpus;
use tests::object;

fn loaded(program: &'static str) -> Loaded {
    load(object!("cpumask-program_types"), program)
        .unwrap_or_else(|log| panic!("{program} does not load: {log}"))
}

fn assert_looked(loaded: &Loaded) {
    assert!(
        cpus::soon(|| loaded.seen(2).next == 1),
        "the program did not run"
    );
    assert_eq!(loaded.seen(0).cpus(), cpus::sysfs("possible"));
    assert_eq!(loaded.seen(1).cpus(), cpus::sysfs("online"));
}

fn assert_attached(program: &'static str) {
    let loaded = loaded(program);
    let _link = loaded
        .program()
        .attach()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    trigger();
    assert_looked(&loaded);
}

#[test]
fn xdp() {
    let loaded = loaded("xdp");
    loaded.run_on_packet();
    assert_looked(&loaded);
}

#[test]
fn tc() {
    let loaded = loaded("tc");
    loaded.run_on_packet();
    assert_looked(&loaded);
}

#[test]
fn cgroup_skb() {
    let loaded = loaded("cgroup_skb");
    loaded.run_on_packet();
    assert_looked(&loaded);
}

#[test]
fn syscall() {
    let loaded = loaded("syscall");
    loaded.run();
    assert_looked(&loaded);
}

#[test]
fn kprobe() {
    assert_attached("kprobe");
}

#[test]
fn tp_btf() {
    assert_attached("tp_btf");
}

#[test]
fn raw_tp() {
    assert_attached("raw_tp");
}

#[test]
fn fentry() {
    assert_attached("fentry");
}

#[test]
fn lsm() {
    assert_attached("lsm");
}

#[test]
fn perf_event() {
    let loaded = loaded("perf_event");
    let event = cpu_clock();
    let _link = loaded
        .program()
        .attach_perf_event(event.into_raw_fd())
        .expect("the event takes a program");
    for i in 0..100_000_000_u64 {
        black_box(i);
        if i % 1_000_000 == 0 && loaded.seen(2).next == 1 {
            break;
        }
    }
    assert_looked(&loaded);
}
