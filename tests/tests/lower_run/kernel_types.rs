// SPDX-License-Identifier: GPL-2.0

//! Accesses between instructions that libbpf changes: CO-RE relocations and externs.

use std::fs;

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::zeroes;

/// The ids of the thread and of its process.
fn ids() -> (u32, u32) {
    // SAFETY: gettid() has no requirements.
    (unsafe { libc::gettid() } as u32, std::process::id())
}

#[test]
fn core_first() {
    let (tid, tgid) = ids();
    in_each_form(lowered!("core_first"), |vars| {
        vars.run_times("look", 0);
        vars.check("reads", |cpu| 11 * u64::from(cpu));
        vars.check("pid", |cpu| if cpu == 0 { 0 } else { tid });
        vars.check("tgid", |cpu| if cpu == 0 { 0 } else { tgid });
        for cpu in vars.cpus() {
            // PF_KTHREAD is not set, and PF_RANDOMIZE or another flag is.
            let flags: u64 = vars.get("flags", cpu);
            assert_eq!(flags & 0x0020_0000, 0);
            assert_eq!(flags != 0, cpu != 0, "CPU {cpu}");
        }
    });
}

/// `struct seen` of `core_kinds.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Seen {
    field: u64,
    no_field: u64,
    offset: u64,
    size: u64,
    bitfield: u64,
    enum_value: u64,
    no_enum_value: u64,
    type_: u64,
    no_type: u64,
    type_size: u64,
    other_pid: u64,
}

/// Sets whether children of this thread inherit its scheduling policy.
fn reset_on_fork(reset: bool) {
    // SAFETY: The structure is valid for the call.
    let ret = unsafe {
        let param: libc::sched_param = zeroes();
        let flag = if reset { libc::SCHED_RESET_ON_FORK } else { 0 };
        libc::sched_setscheduler(0, libc::SCHED_OTHER | flag, &param)
    };
    assert_eq!(ret, 0);
}

#[test]
fn core_kinds() {
    let (tid, _) = ids();
    in_each_form(lowered!("core_kinds"), |vars| {
        reset_on_fork(true);
        vars.run_times("look", 0);
        vars.check("runs", |cpu| 9 + 2 * u64::from(cpu));
        let last = *vars.cpus().last().expect("a CPU");
        let seen: Seen = vars.get("seen", last);
        assert!(seen.offset > 8 && seen.type_size > 8, "{seen:?}");
        let expected = Seen {
            field: 1,
            no_field: 0,
            size: 16,
            bitfield: 1,
            enum_value: 6,
            no_enum_value: 0,
            type_: 1,
            no_type: 0,
            other_pid: u64::from(tid),
            ..seen
        };
        vars.check("seen", |cpu| if cpu == 0 { zeroes() } else { expected });
        reset_on_fork(false);
        vars.on(last, || vars.run("look"));
        assert_eq!(vars.get::<Seen>("seen", last).bitfield, 0);
    });
}

/// The kernel's version, as in `LINUX_KERNEL_VERSION`.
fn version() -> u64 {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0_u64));
    let mut next = || numbers.next().unwrap_or(0);
    (next() << 16) + (next() << 8) + next().min(255)
}

#[test]
fn externs() {
    in_each_form(lowered!("externs"), |vars| {
        vars.run_times("look", 0);
        let ran = |cpu: u32| cpu != 0;
        vars.check("version", |cpu| if ran(cpu) { version() } else { 0 });
        vars.check("cpu_of_queue", |cpu| if ran(cpu) { cpu } else { u32::MAX });
        vars.check("cgroups", u64::from);
        vars.check("facts", |cpu| if ran(cpu) { [1_u8, 1, 0] } else { [0; 3] });
    });
}
