// SPDX-License-Identifier: GPL-2.0

//! The pressure that `psi_top` shows, compared with the kernel's files for the same load.

use std::fs;
use std::hint::black_box;
use std::hint::spin_loop;
use std::mem;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use tests::cpus::set_affinity;
use tests::cpus::sysfs;
use tests::iowait;
use tests::memory::Group;

use super::of;
use super::Running;

/// The waiting time that is enough for a comparison, in ns.
const ENOUGH: u64 = 2_000_000_000;

/// The kernel's counters wrap after 4.3 s. It adds them up every 2 s, and whenever they are read;
/// if that takes longer, its numbers are too small.
const WRAP: Duration = Duration::from_secs(2);

/// How long a load may take to get that.
const LONG: Duration = Duration::from_secs(180);

/// `total=` of `some` and of `full` in a pressure file, in ns.
fn totals(file: &str) -> [u64; 2] {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    ["some ", "full "].map(|start| {
        let line = text.lines().find(|line| line.starts_with(start));
        let total = line.and_then(|line| line.rsplit_once("total=")?.1.parse::<u64>().ok());
        total.unwrap_or_else(|| panic!("no {start} in {file}: {text}")) * 1000
    })
}

const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

/// The kernel's numbers for a cgroup, by resource.
fn kernel(group: &str) -> [[u64; 2]; 3] {
    RESOURCES.map(|resource| match group {
        "" => totals(&format!("/proc/pressure/{resource}")),
        _ => totals(&format!("/sys/fs/cgroup/{group}/{resource}.pressure")),
    })
}

/// Runs `load` in a group until its tasks have waited long enough for `resource`. Compares what the
/// sample saw with the kernel's numbers, for the group and for the system.
///
/// The load stays on `cpus`: the kernel weighs CPUs by their busy time in periods of 2 s, the
/// sample in shorter ones. The rest of the system may use the other CPUs.
fn compare(
    name: &str,
    resource: usize,
    cpus: &[u32],
    set_up: impl Fn(&Group),
    load: impl Fn(&AtomicBool) + Sync,
) {
    let attempts = (0..5).find_map(|_| attempt(name, resource, cpus, &set_up, &load));
    let [kernel, seen] = attempts.expect("the machine does not stand still all the time");
    for (i, cgroup) in [name, ""].iter().enumerate() {
        for (j, resource) in RESOURCES.iter().enumerate() {
            for (k, state) in ["some", "full"].iter().enumerate() {
                let (kernel, seen) = (kernel[i][j][k], seen[i][j][k]);
                println!("/{cgroup} {resource} {state}: {seen} ns, the kernel says {kernel}");
                let slack = kernel / [10, 4][i] + 150_000_000;
                assert!(
                    seen.abs_diff(kernel) <= slack,
                    "/{cgroup} {resource} {state}"
                );
            }
        }
    }
    assert!(seen[0][resource][0] >= ENOUGH, "tasks did not wait");
}

/// The times of `some` and `full` for each resource, of the group and of the system.
type Waited = [[[u64; 2]; 3]; 2];

/// The numbers of the kernel and of the sample for a load. None if the machine stalled, so that the
/// sample says that it does not know.
fn attempt(
    name: &str,
    resource: usize,
    cpus: &[u32],
    set_up: &impl Fn(&Group),
    load: &(impl Fn(&AtomicBool) + Sync),
) -> Option<[Waited; 2]> {
    // Children and threads inherit the group.
    set_affinity(&cpus.iter().copied().collect());
    let group = Group::new(name);
    set_up(&group);
    let mut psi_top = Running::start("--idle");
    let totals = || [name, ""].map(kernel);
    // The first interval has begun.
    psi_top.next();
    let (mut read, before) = (Instant::now(), totals());
    let (mut seen, mut unknown) = (Waited::default(), false);
    let mut add = |look: &Value| {
        let last_read = mem::replace(&mut read, Instant::now());
        totals();
        unknown |= last_read.elapsed() > WRAP || look["unknown_seconds"] != 0.0;
        for (sum, cgroup) in seen.iter_mut().zip([format!("/{name}"), "/".to_string()]) {
            let all = &of(look, &cgroup).expect("it is there")["all"];
            for (sum, resource) in sum.iter_mut().zip(RESOURCES) {
                for (sum, state) in sum.iter_mut().zip(["some_ns", "full_ns"]) {
                    *sum += all[resource][state].as_u64().expect("a number");
                }
            }
        }
        seen[0][resource][0]
    };

    let (done, start) = (AtomicBool::new(false), Instant::now());
    group.run(|| {
        thread::scope(|scope| {
            scope.spawn(|| load(&done));
            while add(&psi_top.next()) < ENOUGH && start.elapsed() < LONG {}
            done.store(true, Relaxed);
        });
    });
    let ended = UNIX_EPOCH.elapsed().expect("a time");
    loop {
        let look = psi_top.next();
        add(&look);
        if look["time"].as_f64() > Some(ended.as_secs_f64()) {
            break;
        }
    }
    set_affinity(&sysfs("online"));
    let mut kernel = totals();
    unknown |= read.elapsed() > WRAP;
    let all = kernel.as_flattened_mut().as_flattened_mut();
    for (now, before) in all.iter_mut().zip(before.as_flattened().as_flattened()) {
        *now -= before;
    }
    (!unknown).then_some([kernel, seen])
}

/// Two tasks compete for each of two CPUs.
#[test]
fn waiting_for_cpu_is_what_the_kernel_says() {
    compare("compete", 0, &[1, 3], |_| {}, |done| compete(&[1, 3], done));
}

/// Two tasks for each of `cpus`.
fn compete(cpus: &[u32], done: &AtomicBool) {
    thread::scope(|scope| {
        for cpu in cpus.iter().flat_map(|cpu| [*cpu; 2]) {
            scope.spawn(move || {
                set_affinity(&[cpu].into());
                while !done.load(Relaxed) {
                    spin_loop();
                }
            });
        }
    });
}

/// An interval that is longer than the kernel's counters take to wrap.
#[test]
fn long_intervals_are_whole() {
    let group = Group::new("long");
    let done = AtomicBool::new(false);
    let look = || {
        // Outside the group, where its own time would count.
        let output = Command::new("sh")
            .args([
                "-c",
                "echo 0 >/sys/fs/cgroup/cgroup.procs && exec \"$@\"",
                "sh",
            ])
            .args(["/t/psi_top", "--json", "--cgroup", "long"])
            .args(["--interval", "6", "--iterations", "1"])
            .output()
            .expect("a shell");
        let look: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (look["unknown_seconds"] == 0.0).then_some(look)
    };
    let look = group.run(|| {
        thread::scope(|scope| {
            scope.spawn(|| compete(&[1], &done));
            let look = (0..5).find_map(|_| look());
            done.store(true, Relaxed);
            look.expect("the machine does not stand still all the time")
        })
    });
    let waited = &of(&look, "/long").expect("it is there")["all"]["cpu"]["some_ns"];
    let part = waited.as_f64().expect("a number") / 1e9 / look["seconds"].as_f64().expect("one");
    // The second task starts later, and busy CPUs outside the group count, too.
    assert!((0.7..1.05).contains(&part), "{part}: {look}");
}

/// A task exceeds the memory that it should have, and is throttled.
#[test]
fn waiting_for_memory_is_what_the_kernel_says() {
    let limit = |group: &Group| group.set("memory.high", "8M");
    let allocate = |done: &AtomicBool| {
        let mut all = Vec::new();
        while !done.load(Relaxed) && all.len() < 64 {
            all.push(black_box(vec![1u8; 1 << 20]));
        }
        while !done.load(Relaxed) {
            // Each step touches one more page.
            drop(black_box(vec![1u8; 1 << 20]));
        }
    };
    compare("memory", 1, &[1], limit, allocate);
}

#[test]
fn waiting_for_io_is_what_the_kernel_says() {
    if !iowait::is_possible() {
        println!("not tested: this kernel has no io_uring");
        return;
    }
    let wait = |done: &AtomicBool| {
        while !done.load(Relaxed) {
            iowait::wait(Duration::from_millis(100));
        }
    };
    compare("io", 2, &[3], |_| {}, wait);
}
