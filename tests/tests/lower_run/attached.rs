// SPDX-License-Identifier: GPL-2.0

//! Attached programs: on functions, tracepoints, hooks and events; and iterators.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::fd::IntoRawFd;

use libbpf_rs::Iter;
use tests::attach::cpu_clock;
use tests::cpus::soon;

use crate::vars::in_each_form;
use crate::vars::lowered;

/// Calls `getpgid()` on this process. Returns its argument, the pid, and its result.
fn getpgid() -> (u64, i64) {
    let pid = std::process::id();
    // SAFETY: getpgid() has no requirements.
    let group = unsafe { libc::getpgid(pid as libc::pid_t) };
    (u64::from(pid), i64::from(group))
}

#[test]
fn trampolines() {
    let (pid, group) = getpgid();
    in_each_form(lowered!("trampolines"), |vars| {
        vars.set_all("only", std::process::id());
        let links = ["enter", "leave"].map(|name| vars.attach(name));
        vars.times(|_| {
            getpgid();
        });
        drop(links);
        getpgid();
        vars.check("entered", u64::from);
        vars.check("left", u64::from);
        vars.check("asked_for", |cpu| if cpu == 0 { 0 } else { pid });
        vars.check("returned", |cpu| if cpu == 0 { 0 } else { group });
    });
}

#[test]
fn tracepoints() {
    let (pid, _) = getpgid();
    in_each_form(lowered!("tracepoints"), |vars| {
        vars.set_all("only", std::process::id());
        let links = ["enter_typed", "enter_raw"].map(|name| vars.attach(name));
        vars.times(|_| {
            getpgid();
        });
        drop(links);
        vars.check("typed", |cpu| pid * u64::from(cpu));
        vars.check("raw", u64::from);
        vars.check("arguments", |cpu| pid * u64::from(cpu));
    });
}

#[test]
fn kprobe() {
    let (pid, group) = getpgid();
    in_each_form(lowered!("kprobe"), |vars| {
        vars.set_all("only", std::process::id());
        let links = ["enter", "leave"].map(|name| vars.attach(name));
        vars.times(|_| {
            getpgid();
        });
        drop(links);
        vars.check("calls", u64::from);
        vars.check("arguments", |cpu| pid * u64::from(cpu));
        vars.check("returns", u64::from);
        vars.check("newest", |cpu| if cpu == 0 { -1 } else { group });
    });
}

#[test]
fn sleepable() {
    let text = *b"of user space\0\0\0";
    in_each_form(lowered!("sleepable"), |vars| {
        vars.set_all("only", std::process::id());
        vars.set_ordinary("user_text", text.as_ptr() as u64);
        let links = ["called", "file"].map(|name| vars.attach(name));
        vars.times(|_| {
            getpgid();
            File::open("/proc/self/stat").expect("a file");
        });
        drop(links);
        vars.check("calls", u64::from);
        vars.check("opened", u64::from);
        vars.check("copied", |cpu| if cpu == 0 { [0; 16] } else { text });
    });
}

#[test]
fn perf_event() {
    in_each_form(lowered!("perf_event"), |vars| {
        for cpu in vars.cpus().into_iter().skip(1) {
            vars.on(cpu, || {
                let program = vars.program("sample");
                let _link = program
                    .attach_perf_event(cpu_clock().into_raw_fd())
                    .expect("the event takes a program");
                assert!(soon(|| {
                    // The clock ticks while this thread runs.
                    (0..1_000_000_u64).for_each(|i| {
                        black_box(i);
                    });
                    vars.get::<u64>("samples", cpu) > 0
                }));
            });
        }
        assert_eq!(vars.get::<u64>("samples", 0), 0);
        vars.check("elsewhere", |_| 0_u64);
        vars.check("cpu", |cpu| if cpu == 0 { u32::MAX } else { cpu });
        vars.check("period", |cpu| if cpu == 0 { 0_u64 } else { 1_000_000 });
    });
}

#[test]
fn iter() {
    // SAFETY: gettid() has no requirements.
    let tid = unsafe { libc::gettid() } as u32;
    let comm = std::fs::read("/proc/thread-self/comm").expect("a name");
    let mut name = [0; 16];
    name[..comm.len() - 1].copy_from_slice(&comm[..comm.len() - 1]);
    in_each_form(lowered!("iter"), |vars| {
        vars.set_all("only", tid);
        for (program, variable) in [("tasks", "tasks_seen"), ("maps", "maps_seen")] {
            let link = vars.attach(program);
            vars.times(|cpu| {
                let before: u64 = vars.get(variable, cpu);
                let mut bytes = Vec::new();
                let mut iter = Iter::new(&link).expect("an iterator");
                iter.read_to_end(&mut bytes).expect("text");
                let seen: u64 = vars.get(variable, cpu);
                assert!(seen > before, "{seen} {variable}, {before} before");
                assert_eq!(bytes, seen.to_ne_bytes());
            });
        }
        vars.check("walks", u64::from);
        vars.check("found", u64::from);
        vars.check("name", |cpu| if cpu == 0 { [0; 16] } else { name });
        assert_eq!(vars.get::<u64>("tasks_seen", 0), 0);
        assert_eq!(vars.get::<u64>("maps_seen", 0), 0);
    });
}
