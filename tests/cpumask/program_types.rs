// SPDX-License-Identifier: GPL-2.0

//! Getters and iterator work in programs of every kind that users write.

use std::fs;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

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

/// Makes a system call that a program may wait for.
fn trigger() {
    // SAFETY: getpgid() has no requirements.
    unsafe { libc::getpgid(0) };
    fs::read_to_string("/proc/self/stat").expect("a file to open");
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
        .attach_perf_event(event.as_raw_fd())
        .expect("the event takes a program");
    for i in 0..100_000_000_u64 {
        black_box(i);
        if i % 1_000_000 == 0 && loaded.seen(2).next == 1 {
            break;
        }
    }
    assert_looked(&loaded);
}

/// An event each millisecond of CPU time of this thread.
fn cpu_clock() -> OwnedFd {
    const PERF_TYPE_SOFTWARE: u64 = 1;
    const PERF_ATTR_SIZE_VER5: u64 = 112;
    // struct perf_event_attr: type and size, config (PERF_COUNT_SW_CPU_CLOCK), sample_period.
    let mut attr = [0_u64; 14];
    attr[0] = PERF_TYPE_SOFTWARE | (PERF_ATTR_SIZE_VER5 << 32);
    attr[2] = 1_000_000;
    // SAFETY: `attr` is valid for the call and as large as it says.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &attr, 0, -1, -1, 0) };
    assert!(
        fd >= 0,
        "perf_event_open: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: The call returned a new file descriptor.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}
