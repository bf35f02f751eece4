// SPDX-License-Identifier: GPL-2.0

//! A program that counts is interrupted by another one that counts, in each context.

use std::os::fd::IntoRawFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tests::cpus::set_affinity;
use tests::monitor::OneInsn;
use tests::nmi::Watchdog;
use tests::soak::is_soak;

use crate::state::Counting;
use tests::perf;

const CPU: u32 = 0;

/// How long programs count in a round.
const TIME: Duration = Duration::from_secs(5);

/// The number of threads that count on one CPU.
const THREADS: usize = 4;

/// The most rounds. On a slow machine interruptions are few, and seldom hit the right instruction.
const ROUNDS: u32 = 160;

/// The least number of interruptions for a meaningful run.
const INTERRUPTIONS: u64 = 1000;

/// Counts on [`CPU`] with `threads` threads, while another thread runs `interrupt`, to which it
/// passes the flag that ends it.
fn count(counting: &Counting, threads: usize, interrupt: impl Fn(&AtomicBool) + Sync) {
    let _one_insn = OneInsn::new();
    let least = match is_soak() {
        true => ROUNDS / 4,
        false => 1,
    };
    for round in 1..=ROUNDS {
        count_once(counting, threads, &interrupt);
        if round < least {
            continue;
        }
        if counting.state().interruptions >= INTERRUPTIONS && counting.lost().0 > 0 {
            break;
        }
    }
}

fn count_once(counting: &Counting, threads: usize, interrupt: &(impl Fn(&AtomicBool) + Sync)) {
    let done = AtomicBool::new(false);
    let end = Instant::now() + TIME;
    thread::scope(|scope| {
        scope.spawn(|| interrupt(&done));
        let counters: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    set_affinity(&[CPU].into());
                    while Instant::now() < end {
                        assert_eq!(counting.programs.run_named("count"), 0);
                    }
                })
            })
            .collect();
        for counter in counters {
            counter.join().expect("no panic");
        }
        done.store(true, Relaxed);
    });
}

fn interrupted(counting: &Counting) {
    let seen = counting.state().interruptions;
    assert!(seen >= INTERRUPTIONS, "only {seen} interruptions");
}

#[test]
fn preemption() {
    let counting = Counting::new(&["count", "preempt"]);
    count(&counting, THREADS, |done| {
        set_affinity(&[CPU].into());
        perf::real_time();
        while !done.load(Relaxed) {
            let began = Instant::now();
            assert_eq!(counting.programs.run_named("preempt"), 0);
            // Leave the others as much time, even on a slow machine, so that they are elsewhere
            // each time.
            thread::sleep(began.elapsed().max(Duration::from_micros(500)));
        }
    });
    interrupted(&counting);
    counting.check();
}

#[test]
fn hard_interrupts() {
    let counting = Counting::new(&["count", "clock_tick"]);
    let event = perf::clock(CPU as i32, 1_000_000);
    let program = counting.programs.program_named("clock_tick");
    let link = program
        .attach_perf_event(event.into_raw_fd())
        .expect("a clock takes programs");
    count(&counting, 1, |_| ());
    drop(link);
    interrupted(&counting);
    counting.check();
}

#[test]
fn kprobe_in_interrupts() {
    let counting = Counting::new(&["count", "tick"]);
    let program = counting.programs.program_named("tick");
    let link = program
        .attach_kprobe(false, "sched_tick")
        .expect("the kernel has it");
    count(&counting, 1, |_| ());
    drop(link);
    interrupted(&counting);
    counting.check();
}

#[test]
fn soft_interrupts() {
    let counting = Counting::new(&["count", "start_timer", "stop_timer"]);
    set_affinity(&[CPU].into());
    assert_eq!(counting.programs.run_named("start_timer"), 0);
    count(&counting, 1, |_| ());
    counting.programs.run_named("stop_timer");
    interrupted(&counting);
    counting.check();
}

#[test]
fn nmis() {
    let counting = Counting::new(&["count", "nmi"]);
    let link = counting
        .programs
        .program_named("nmi")
        .attach()
        .expect("the kernel has it");
    let watchdog = Watchdog::new();
    count(&counting, 1, |done| {
        // NMIs arrive at CPU 0.
        set_affinity(&[CPU + 1].into());
        while !done.load(Relaxed) {
            watchdog.fire();
            thread::sleep(Duration::from_millis(1));
        }
    });
    drop(link);
    interrupted(&counting);
    counting.check();
}
