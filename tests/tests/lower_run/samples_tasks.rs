// SPDX-License-Identifier: GPL-2.0

//! The samples that read the kernel's data: CPUs, run queues, tasks, pressure.

use std::cell::RefCell;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use libbpf_rs::Iter;
use libbpf_rs::RingBufferBuilder;
use tests::cpus::of_words;
use tests::cpus::soon;
use tests::cpus::sysfs;
use tests::cpus::Cpus;

use crate::vars::in_each_form;
use crate::vars::lowered;

/// A unique name for this thread.
fn tid() -> i32 {
    // SAFETY: gettid() has no requirements.
    unsafe { libc::gettid() }
}

#[test]
fn cpumask_walk() {
    in_each_form(lowered!("sample_cpumask_walk"), |vars| {
        // The program reports if it was preempted.
        vars.times(|_| assert!(soon(|| vars.run("cpumask_walk") == 0)));
        let walked = |cpu: u32, cpus: &Cpus| if cpu == 0 { Cpus::new() } else { cpus.clone() };
        let mut steps = 1;
        for (variable, file) in [
            ("possible_cpus", "possible"),
            ("present_cpus", "present"),
            ("online_cpus", "online"),
            ("active_cpus", "online"),
        ] {
            let cpus = sysfs(file);
            steps += cpus.len() as u64;
            for cpu in vars.possible() {
                let words: [u64; 32] = vars.get(variable, cpu);
                assert_eq!(
                    of_words(&words),
                    walked(cpu, &cpus),
                    "{variable}, CPU {cpu}"
                );
            }
        }
        for cpu in vars.possible() {
            let words: [u64; 32] = vars.get("task_cpus", cpu);
            assert_eq!(of_words(&words), walked(cpu, &Cpus::from([cpu])));
        }
        vars.check("steps", |cpu| steps * u64::from(cpu));
        let ids = tests::cpus::nr_cpu_ids();
        vars.check("nr_cpu_ids", |cpu| if cpu == 0 { 0 } else { ids });
    });
}

/// `struct queue` of `sample_runq_walk.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Queue {
    walk: u64,
    switches: u64,
    load: u64,
    capacity: u64,
    running: u32,
    fair: u32,
    idle: u32,
    pid: i32,
    tgid: i32,
    state: u32,
    prio: i32,
    kernel: u32,
    comm: [u8; 16],
}

#[test]
fn runq_walk() {
    in_each_form(lowered!("sample_runq_walk"), |vars| {
        vars.run_times("runq_walk", 0);
        vars.check("walk", u64::from);
        let online = vars.cpus();
        for cpu in vars.possible() {
            let [began, ended]: [u64; 2] = ["began", "ended"].map(|name| vars.get(name, cpu));
            assert_eq!(began != 0, cpu != 0);
            assert!(began <= ended);
            let queues: [Queue; 64] = vars.get("queues", cpu);
            for (of, queue) in (0..).zip(&queues) {
                let seen = online.contains(&of) && cpu != 0;
                assert_eq!(queue.walk, if seen { u64::from(cpu) } else { 0 });
                assert_eq!(queue.capacity != 0, seen, "{queue:?}");
                assert!(queue.idle == 0 || queue.pid == 0);
            }
            if cpu != 0 {
                // On its own CPU the walk sees this thread.
                let own = &queues[cpu as usize];
                assert_eq!((own.pid, own.tgid), (tid(), std::process::id() as i32));
                assert_eq!((own.idle, own.kernel), (0, 0));
                assert!(own.running >= 1 && own.switches > 0, "{own:?}");
            }
        }
    });
}

/// `struct head` of `sample_task_cpus.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Head {
    cgroup: u64,
    written: u64,
    words: u32,
    pid: i32,
    tgid: i32,
    state: u32,
    comm: [u8; 16],
}

/// Parses what the iterator writes: heads, each with two masks.
fn records(mut bytes: &[u8]) -> Vec<(Head, Cpus, Cpus)> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(size_of::<Head>());
        // SAFETY: The slice has the size of a head, for which any bytes are valid.
        let head = unsafe { head.as_ptr().cast::<Head>().read_unaligned() };
        let (masks, rest) = rest.split_at(16 * head.words as usize);
        let word = |word: &[u8]| u64::from_ne_bytes(word.try_into().expect("8 bytes"));
        let words: Vec<u64> = masks.chunks(8).map(word).collect();
        let (allowed, online) = words.split_at(head.words as usize);
        records.push((head, of_words(allowed), of_words(online)));
        bytes = rest;
    }
    records
}

#[test]
fn task_cpus() {
    in_each_form(lowered!("sample_task_cpus"), |vars| {
        vars.set_all("want_pid", tid());
        let link = vars.attach("walk_tasks");
        vars.times(|cpu| {
            let mut bytes = Vec::new();
            let mut iter = Iter::new(&link).expect("an iterator");
            iter.read_to_end(&mut bytes).expect("records");
            let records = records(&bytes);
            let (end, online, up) = records.last().expect("an end");
            let seen: u64 = vars.get("written", cpu);
            assert_eq!((end.pid, end.written), (0, seen));
            assert_eq!((online, up), (&sysfs("online"), online));
            let ours = records.iter().find(|(head, ..)| head.pid == tid());
            let (head, allowed, online) = ours.expect("a record of this thread");
            assert_eq!(head.tgid, std::process::id() as i32);
            assert!(head.cgroup != 0 && head.comm[0] != 0);
            assert_eq!((allowed, online), (&Cpus::from([cpu]), &Cpus::from([cpu])));
        });
        assert_eq!(vars.get::<u64>("written", 0), 0);
        vars.check("too_many_cpus", |_| 0_u8);
    });
}

/// A cgroup that exists until this is dropped.
struct Cgroup(&'static str);

impl Cgroup {
    fn new(path: &'static str) -> Self {
        fs::create_dir(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        Self(path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0);
    }
}

/// `struct record` of `sample_psi_top.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Record {
    cgroup: u64,
    cpu: u32,
    nonidle: u32,
    some: [u32; 3],
}

#[test]
fn psi_top() {
    let cgroup = Cgroup::new("/sys/fs/cgroup/lowered");
    let _below = Cgroup::new("/sys/fs/cgroup/lowered/below");
    let id = fs::metadata(cgroup.0).expect("a folder").ino();
    in_each_form(lowered!("sample_psi_top"), |vars| {
        vars.check("root_id", |_| 1_u64);
        vars.set_all("root_id", id);
        vars.run_times("psi_top", 0);

        let records = RefCell::new(Vec::new());
        let map = vars.map("records");
        let mut builder = RingBufferBuilder::new();
        let take = |bytes: &[u8]| {
            assert!(bytes.len() >= size_of::<Record>());
            // SAFETY: The slice has at least the size of a record, for which any bytes are valid.
            let record = unsafe { bytes.as_ptr().cast::<Record>().read_unaligned() };
            records.borrow_mut().push(record);
            0
        };
        builder.add(&map, take).expect("a ring buffer");
        let ring = builder.build().expect("a ring buffer");
        ring.poll(Duration::ZERO).expect("records");

        // Both cgroups, on all CPUs, in each run.
        let runs: u32 = vars.cpus().into_iter().sum();
        let records = records.borrow();
        for cpu in vars.possible() {
            let of_cpu = || records.iter().filter(|record| record.cpu == cpu);
            assert_eq!(of_cpu().count(), 2 * runs as usize);
            let own = of_cpu().filter(|record| record.cgroup == id);
            assert_eq!(own.count(), runs as usize);
        }
        assert!(records.iter().all(|record| record.nonidle == 0), "a task");
        assert!(records.iter().all(|record| record.some == [0; 3]), "a task");
        vars.check("cgroups", |cpu| 2 * u64::from(cpu));
        vars.check("without_psi", |_| 0_u64);
        vars.check("dropped", |_| 0_u64);
        let possible = tests::cpus::to_words::<16>(&vars.possible());
        for cpu in vars.possible().into_iter().skip(1) {
            let section = vars.loaded.section(".percpu.masks").expect("a section");
            let bytes = section.read(cpu).expect("a store or a map");
            let words = tests::cpus::nr_cpu_ids().div_ceil(64) as usize;
            let mask: Vec<u8> = possible[..words]
                .iter()
                .flat_map(|word| word.to_ne_bytes())
                .collect();
            assert_eq!(bytes[..mask.len()], mask, "CPU {cpu}");
        }
    });
}
