// SPDX-License-Identifier: GPL-2.0

//! The pressure that programs read, compared with that of the kernel's files.

use std::fs;
use std::hint::spin_loop;
use std::mem;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::memory::Group;
use tests::object;

use crate::call::id;
use crate::call::Call;
use crate::call::CPU_SOME;
use crate::call::NONIDLE;

/// How long tasks must wait for a CPU.
const ENOUGH: f64 = 3e9;

/// Times wrap after 4.3 seconds, so programs read them more often.
const STEP: Duration = Duration::from_millis(500);
/// Counters wrap after 4.3 s, also those that the kernel adds up for `cpu.pressure`. It does so
/// every 2 s, and whenever the file is read.
const WRAP: Duration = Duration::from_secs(2);

fn read(programs: &Loaded, program: &str, cgroup: u64, cpu: u32) -> Call {
    let mut call = Call::new(cgroup, cpu);
    assert_eq!(call.run(programs, program), 0, "CPU {cpu}");
    call
}

/// `total=` in a line of a pressure file, in ns.
fn total(file: &str, line: &str) -> u64 {
    let text = fs::read_to_string(file).expect("a pressure file");
    let value = text
        .lines()
        .filter(|found| found.starts_with(line))
        .find_map(|found| found.rsplit_once("total=")?.1.parse::<u64>().ok());
    value.unwrap_or_else(|| panic!("no {line} in {file}")) * 1000
}

/// Runs `work` while two threads compete for each of `cpus`.
fn compete(cpus: &[u32], work: impl FnOnce()) {
    let (there, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let compete = |cpu: u32| {
        set_affinity(&[cpu].into());
        there.fetch_add(1, Relaxed);
        while !done.load(Relaxed) {
            spin_loop();
        }
    };
    thread::scope(|scope| {
        for cpu in cpus.iter().flat_map(|cpu| [*cpu; 2]) {
            scope.spawn(move || compete(cpu));
        }
        assert!(soon(|| there.load(Relaxed) == 2 * cpus.len()));
        work();
        done.store(true, Relaxed);
    });
}

/// The PSI of the root cgroup is that of the system, which BPF can read without the module.
#[test]
fn root_is_the_system() {
    let programs = load_some(object!("psi-psi"), &["by_kfunc", "by_variable"])
        .unwrap_or_else(|log| panic!("{log}"));
    let mut busy = 0;
    for _ in 0..100 {
        for cpu in cpus::sysfs("possible") {
            let system = read(&programs, "by_variable", id(""), cpu);
            let root = read(&programs, "by_kfunc", id(""), cpu);
            let later = read(&programs, "by_variable", id(""), cpu);
            assert!(system.state_start <= root.state_start);
            assert!(root.state_start <= later.state_start);
            for state in 0..=NONIDLE {
                let (now, whole) = (
                    root.times[state].wrapping_sub(system.times[state]),
                    later.times[state].wrapping_sub(system.times[state]),
                );
                assert!(now <= whole, "CPU {cpu}: {system:?} {root:?} {later:?}");
            }
            busy += u32::from(root.times[NONIDLE] != 0);
        }
    }
    assert!(busy > 0, "no CPU did anything");
}

/// The waiting time on each CPU adds up to `cpu.pressure`. Of two threads that compete for a CPU,
/// one always waits; on other CPUs none does.
#[test]
fn adds_up_to_cpu_pressure() {
    let programs =
        load_some(object!("psi-psi"), &["by_kfunc"]).unwrap_or_else(|log| panic!("{log}"));
    let attempt = (0..10).find(|_| adds_up(&programs));
    assert!(attempt.is_some(), "the machine stands still all the time");
}

/// False if the machine stalled for so long that the counters may have wrapped.
fn adds_up(programs: &Loaded) -> bool {
    let possible: Vec<u32> = cpus::sysfs("possible").into_iter().collect();
    let busy = [possible[1], possible[3]];
    let group = Group::new("pressure");
    let cgroup = id("pressure");
    let times = || -> Vec<u32> {
        let all = possible.iter();
        all.map(|cpu| read(programs, "by_kfunc", cgroup, *cpu).times[CPU_SOME])
            .collect()
    };
    let file = "/sys/fs/cgroup/pressure/cpu.pressure";
    let (before, start) = (total(file, "some"), Instant::now());
    let mut some = vec![0.0; possible.len()];
    let (mut began, mut stood_still) = (Instant::now(), false);
    let mut last = times();
    let mut look = |some: &mut [f64]| {
        let last_began = mem::replace(&mut began, Instant::now());
        let now = times();
        total(file, "some");
        stood_still |= last_began.elapsed() > WRAP;
        for (some, (now, last)) in some.iter_mut().zip(now.iter().zip(&last)) {
            *some += f64::from(now.wrapping_sub(*last));
        }
        last = now;
    };
    group.run(|| {
        compete(&busy, || {
            // Waiting before the threads moved to these CPUs does not count.
            look(&mut some);
            for (cpu, some) in possible.iter().zip(&mut some) {
                if !busy.contains(cpu) {
                    *some = 0.0;
                }
            }
            let waited = |some: &[f64]| busy.iter().all(|cpu| some[*cpu as usize] > ENOUGH);
            while !waited(&some) && start.elapsed() < Duration::from_secs(120) {
                thread::sleep(STEP);
                look(&mut some);
            }
        });
    });
    look(&mut some);
    let time = start.elapsed().as_nanos() as f64;
    let kernel = (total(file, "some") - before) as f64;
    if stood_still || start.elapsed().as_nanos() as f64 > time + WRAP.as_nanos() as f64 {
        return false;
    }
    println!("in {time} ns: {some:?} on each CPU, the kernel says {kernel}");
    // The kernel weighs CPUs by busy time: these were always busy, the others hardly.
    let mean = busy.iter().map(|cpu| some[*cpu as usize]).sum::<f64>() / busy.len() as f64;
    assert!(mean > ENOUGH, "CPUs did not wait");
    // A counter may have wrapped unnoticed: it is updated when a task starts or stops waiting,
    // which may be later than the program reads it.
    let lost = (kernel - mean) * busy.len() as f64 / f64::from(u32::MAX);
    if lost > 0.9 && (lost - lost.round()).abs() < 0.1 {
        return false;
    }
    assert!(
        (mean - kernel).abs() < 0.15 * mean,
        "{mean}, the kernel says {kernel}"
    );
    for (cpu, some) in possible.iter().zip(some) {
        let competed = busy.contains(cpu);
        assert_eq!(some > ENOUGH, competed, "CPU {cpu}");
        assert!(competed || some < 0.1 * time, "CPU {cpu}");
    }
    true
}
