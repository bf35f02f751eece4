// SPDX-License-Identifier: GPL-2.0

//! The samples that count and record calls, with variables in place of their stores.

use std::cell::RefCell;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use libbpf_rs::RingBufferBuilder;
use tests::attach::cpu_clock;
use tests::cpus::soon;

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::Vars;

/// Makes a system call that takes no pointers.
fn call(number: libc::c_long) {
    // SAFETY: These calls have no preconditions.
    unsafe { libc::syscall(number, 0) };
}

#[test]
fn syscall_count() {
    let functions = ["getpgid", "getppid", "getsid"].map(|name| format!("__x64_sys_{name}"));
    in_each_form(lowered!("sample_syscall_count"), |vars| {
        vars.set_all("only", std::process::id());
        let program = vars.program("count");
        let link = program
            .attach_kprobe_multi(false, functions.to_vec())
            .expect("functions of the kernel");
        vars.times(|_| {
            call(libc::SYS_getpgid);
            call(libc::SYS_getppid);
            call(libc::SYS_getppid);
        });
        vars.on(0, || call(libc::SYS_getsid));
        drop(link);
        vars.check("calls", |cpu| {
            let mut calls = [0_u64; 512];
            calls[libc::SYS_getpgid as usize] = cpu.into();
            calls[libc::SYS_getppid as usize] = 2 * u64::from(cpu);
            calls[libc::SYS_getsid as usize] = u64::from(cpu == 0);
            calls
        });
        vars.check("others", |_| 0_u64);
    });
}

/// Of `sample_lbr_ring.bpf.c`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    done: u64,
    ip: u64,
    ts: u64,
    tid: u32,
    kind: u32,
    comm: [u8; 16],
    claim: u64,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Ring {
    head: u64,
    frozen: u64,
    skipped: u64,
    ts: u64,
    entries: [Entry; 64],
}

/// The address of a kernel function.
fn address(function: &str) -> u64 {
    let symbols = std::fs::read_to_string("/proc/kallsyms").expect("/proc/kallsyms");
    let address = symbols.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let address = fields.next()?;
        (fields.nth(1)? == function).then(|| u64::from_str_radix(address, 16).expect("a number"))
    });
    address.expect("a function of the kernel")
}

/// Checks that a ring has this many calls and returns, the newest last.
fn check_ring(ring: &Ring, calls: u64) {
    // SAFETY: gettid() has no requirements.
    let tid = unsafe { libc::gettid() } as u32;
    assert_eq!((ring.head, ring.skipped), (2 * calls, 0));
    let getppid = address("__x64_sys_getppid");
    let mut ts = 0;
    for number in (2 * calls).saturating_sub(63).max(1)..=2 * calls {
        let entry = &ring.entries[number as usize % 64];
        assert_eq!((entry.claim, entry.done), (number, number));
        assert_eq!((entry.tid, entry.kind), (tid, (number as u32 + 1) % 2));
        assert_eq!(entry.ip, getppid, "entry {number}");
        assert!(ts <= entry.ts && entry.ts != 0 && entry.comm[0] != 0);
        ts = entry.ts;
    }
}

#[test]
fn lbr_ring() {
    in_each_form(lowered!("sample_lbr_ring"), |vars| {
        vars.set_all("only", std::process::id());
        let links = ["call", "ret", "dump"].map(|name| vars.attach(name));
        // More calls than fit into a ring.
        let calls = |cpu| if cpu == 1 { 100 } else { cpu };
        for cpu in vars.cpus() {
            vars.on(cpu, || {
                (0..calls(cpu)).for_each(|_| call(libc::SYS_getppid));
                call(libc::SYS_getpgid);
            });
        }
        drop(links);

        let dumps = RefCell::new(Vec::new());
        let map = vars.map("dumps");
        let mut builder = RingBufferBuilder::new();
        let take = |bytes: &[u8]| {
            assert_eq!(bytes.len(), size_of::<Ring>());
            // SAFETY: The slice has the size of a ring, for which any bytes are valid.
            let ring = unsafe { bytes.as_ptr().cast::<Ring>().read_unaligned() };
            dumps.borrow_mut().push(ring);
            0
        };
        builder.add(&map, take).expect("a ring buffer");
        let ring_buffer = builder.build().expect("a ring buffer");
        ring_buffer.poll(Duration::ZERO).expect("dumps");

        assert_eq!(dumps.borrow().len(), vars.cpus().len());
        for (cpu, dump) in vars.cpus().into_iter().zip(dumps.borrow().iter()) {
            check_ring(dump, calls(cpu).into());
            assert_eq!(dump.frozen, 1);
            let ring: Ring = vars.get("ring", cpu);
            check_ring(&ring, calls(cpu).into());
            assert_eq!(ring.frozen, 0);
        }
        vars.check("lost", |_| 0_u64);
    });
}

/// `struct counts` of `sample_nmi_count.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Counts {
    on_view: u64,
    up_to_limit: u64,
    locked: u64,
    of_threads: u64,
    of_samples: u64,
}

/// Adds on a CPU until samples have interrupted it.
fn add_on(vars: &Vars, cpu: u32) -> u64 {
    let mut runs = 0;
    let before = vars.ordinary_variable::<u64>("samples");
    let program = vars.program("add_in_sample");
    let _link = program
        .attach_perf_event(cpu_clock().into_raw_fd())
        .expect("the event takes a program");
    assert!(soon(|| {
        (0..20).for_each(|_| assert_eq!(vars.run("add_in_task"), 0));
        runs += 20;
        vars.ordinary_variable::<u64>("samples") > before && cpu <= runs
    }));
    u64::from(runs)
}

#[test]
fn nmi_count() {
    in_each_form(lowered!("sample_nmi_count"), |vars| {
        let mut samples = 0;
        for cpu in vars.cpus() {
            let runs = vars.on(cpu, || add_on(vars, cpu));
            let counts: Counts = vars.get("counts", cpu);
            assert_eq!(counts.of_threads, 1000 * runs, "CPU {cpu}");
            let all = counts.of_threads + counts.of_samples;
            assert_eq!(counts.on_view, all, "CPU {cpu}");
            assert_eq!(counts.up_to_limit, all, "CPU {cpu}");
            assert_eq!(counts.locked, all, "CPU {cpu}");
            samples += counts.of_samples;
        }
        assert_eq!(vars.ordinary_variable::<u64>("samples"), samples);
    });
}
