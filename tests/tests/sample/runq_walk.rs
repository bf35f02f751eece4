// SPDX-License-Identifier: GPL-2.0

//! `runq_walk`, which shows the run queue and the current task of each CPU.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use tests::cpus;
use tests::cpus::Cpus;
use tests::cpus::Offline;
use tests::module;

use super::walks;
use super::walks::soon;
use super::walks::Pinned;
use super::walks::Thread;

const SAMPLE: &str = "runq_walk";

fn look() -> Value {
    walks::json(SAMPLE, "")
}

fn of_cpu(report: &Value, cpu: u32) -> &Value {
    let cpus = report["cpus"].as_array().expect("CPUs");
    let found = cpus.iter().find(|queue| queue["cpu"] == cpu);
    found.unwrap_or_else(|| panic!("no CPU {cpu}: {report}"))
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// A field of each CPU in the scheduler's debug file.
fn listed(field: &str) -> Vec<(u32, u64)> {
    let listing = fs::read_to_string("/sys/kernel/debug/sched/debug").expect("debugfs");
    let mut cpu = None;
    let mut values = Vec::new();
    for line in listing.lines() {
        if let Some(rest) = line.strip_prefix("cpu#") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            cpu = digits.parse().ok();
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.trim() == field {
            // The first match of a CPU is that of its run queue; those of the classes follow.
            if let (Some(cpu), Ok(value)) = (cpu.take(), value.trim().parse()) {
                values.push((cpu, value));
            }
        }
    }
    assert_eq!(values.len(), cpus::sysfs("online").len(), "{listing}");
    values
}

/// The number of runnable tasks, from `/proc/loadavg`.
fn running() -> u64 {
    let loadavg = fs::read_to_string("/proc/loadavg").expect("/proc/loadavg");
    let running = loadavg
        .split(['/', ' '])
        .nth(3)
        .and_then(|n| n.parse().ok());
    running.unwrap_or_else(|| panic!("{loadavg}"))
}

/// The number of task switches on all CPUs since boot.
fn switches() -> u64 {
    let stat = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let line = stat.lines().find_map(|line| line.strip_prefix("ctxt "));
    line.and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("{stat}"))
}

#[test]
fn runq_walk_walks_the_online_cpus() {
    let cpus_of = |report: &Value| -> Vec<u64> {
        let cpus = report["cpus"].as_array().expect("CPUs");
        cpus.iter().map(|queue| number(&queue["cpu"])).collect()
    };
    let online = || -> Vec<u64> { cpus::sysfs("online").into_iter().map(u64::from).collect() };
    assert_eq!(cpus_of(&look()), online());
    let last = *cpus::sysfs("online").last().expect("a CPU");
    let offline = Offline::new(last);
    let report = look();
    assert_eq!(cpus_of(&report), online());
    assert_eq!(walks::cpus_of(&report["online"]), cpus::sysfs("online"));
    assert!(!cpus_of(&report).contains(&last.into()));
    drop(offline);
    assert_eq!(cpus_of(&look()), online());
}

/// Three threads on CPU 1 are three tasks in its queue, of which one is current.
#[test]
fn runq_walk_sees_who_runs_and_who_waits() {
    let _pinned = Pinned::to([0]);
    let burners: Vec<_> = (0..3)
        .map(|_| Thread::spinning("runq-burner", || cpus::set_affinity(&[1].into())))
        .collect();
    let mut last = Value::Null;
    let seen = soon(|| {
        let running_before = running();
        let report = look();
        let queue = of_cpu(&report, 1);
        let current = &queue["current"];
        let found = (queue["running"] == 3 && queue["fair"] == 3)
            && burners.iter().any(|burner| current["pid"] == burner.tid)
            && current["tgid"] == process::id()
            && current["comm"] == "runq-burner"
            && current["state"] == "R"
            && current["policy"] == "other"
            && current["kernel"] == false
            && queue["idle"] == false
            // Besides the threads, the sample runs, or the reader of the file.
            && of_cpu(&report, 0)["current"]["comm"] == "runq_walk"
            && of_cpu(&report, 0)["current"]["own"] == true
            && report["running"] == running_before
            && running() == running_before
            && report["idle"] == "2-3"
            && of_cpu(&report, 2)["current"] == Value::Null
            && listed(".nr_running")[1] == (1, 3);
        last = report;
        found
    });
    assert!(seen, "{last}");
    let mut text = String::new();
    // Kernel threads run there at times.
    let shown = soon(|| {
        text = walks::text(SAMPLE, "--busy");
        assert!(!text.contains("(idle)"), "{text}");
        text.contains("runq-burner")
    });
    assert!(shown, "{text}");
    drop(burners);
    // Then the threads are gone.
    let gone = soon(|| {
        last = look();
        of_cpu(&last, 1)["running"] == 0 && of_cpu(&last, 1)["idle"] == true
    });
    assert!(gone, "{last}");
}

/// Policy and priority are those that were set, and the tasks of a queue are counted by class.
#[test]
fn runq_walk_sees_policies() {
    let _pinned = Pinned::to([0]);
    let fifo = Thread::spinning("runq-fifo", || {
        cpus::set_affinity(&[2].into());
        let param = libc::sched_param { sched_priority: 42 };
        // SAFETY: The parameters are valid for the call.
        let ret = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) };
        assert_eq!(ret, 0, "sched_setscheduler");
    });
    let started = Instant::now();
    let nice = Thread::spinning("runq-nice", || {
        cpus::set_affinity(&[3].into());
        // SAFETY: The call takes numbers only.
        let ret = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
        assert_eq!(ret, 0, "setpriority");
    });
    // With lockdep, time slices of 7 ms were seen for half a minute.
    let checks_locks = fs::exists("/proc/lockdep_stats").expect("procfs");
    let turn = if checks_locks { 1_000_000 } else { 20_000_000 };
    let mut last = Value::Null;
    let seen = soon(|| {
        let report = look();
        let (of_2, of_3) = (of_cpu(&report, 2), of_cpu(&report, 3));
        let (one, other) = (&of_2["current"], &of_3["current"]);
        let mut found = one["pid"] == fifo.tid
            && one["policy"] == "fifo"
            && one["rt_priority"] == 42
            && one["prio"] == 57
            && one["nice"] == Value::Null
            && of_2["rt"] == 1
            && other["pid"] == nice.tid
            && other["policy"] == "other"
            && other["nice"] == 5
            && other["prio"] == 125
            && of_3["rt"] == 0
            && of_3["fair"] == 1;
        if found {
            // The thread has the CPU to itself, apart from kernel threads.
            let ran = number(&other["ran_ns"]);
            let since = started.elapsed().as_nanos() as u64;
            // The two times are from different clocks.
            assert!(ran < since + 1_000_000_000, "{ran} {since}");
            found = ran > turn;
        }
        last = report;
        found
    });
    assert!(seen, "{last}");
}

/// The time that a task has been running starts from zero after another task ran.
#[test]
fn runq_walk_counts_the_time_of_a_turn() {
    let _pinned = Pinned::to([0]);
    let started = Instant::now();
    let burners: Vec<_> = (0..2)
        .map(|_| Thread::spinning("runq-turn", || cpus::set_affinity(&[1].into())))
        .collect();
    // After both have run for longer than a time slice.
    let mut last = Value::Null;
    let seen = soon(|| {
        last = look();
        let queue = of_cpu(&last, 1);
        let ours = burners
            .iter()
            .any(|burner| queue["current"]["pid"] == burner.tid);
        let ran = queue["current"]["ran_ns"].as_u64().unwrap_or(u64::MAX);
        ours && started.elapsed().as_millis() > 500
            && u128::from(ran) < started.elapsed().as_nanos() / 4
    });
    assert!(seen, "{last}");
}

/// The number of task switches is between what the kernel's files say before and after.
#[test]
fn runq_walk_counts_switches() {
    let of_each = listed(".nr_switches");
    let before = switches();
    let report = look();
    let after = switches();
    let of_each_after = listed(".nr_switches");
    let queues = report["cpus"].as_array().expect("CPUs");
    let sum: u64 = queues.iter().map(|queue| number(&queue["switches"])).sum();
    assert!((before..=after).contains(&sum), "{before} {sum} {after}");
    for ((cpu, before), (_, after)) in of_each.into_iter().zip(of_each_after) {
        let seen = number(&of_cpu(&report, cpu)["switches"]);
        assert!(
            (before..=after).contains(&seen),
            "{cpu}: {before} {seen} {after}"
        );
    }
    assert!(number(&report["walk_ns"]) > 0);
}

#[test]
fn runq_walk_looks_again() {
    let text = walks::text(SAMPLE, "--json --iterations 3 --interval 0.1");
    let looks: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(looks.len(), 3, "{text}");
    let switches = |look: &Value| number(&of_cpu(look, 0)["switches"]);
    assert!(looks
        .windows(2)
        .all(|two| switches(&two[0]) <= switches(&two[1])));
    assert_eq!(of_cpu(&looks[0], 0)["switches_rate"], Value::Null);
    assert!(of_cpu(&looks[2], 0)["switches_rate"].is_f64(), "{text}");

    let text = walks::text(SAMPLE, "--iterations 2 --interval 0.1");
    assert_eq!(text.matches("one walk of").count(), 2, "{text}");
    assert!(text.contains("rate/s"), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
    let text = walks::text(SAMPLE, "--duration 0.3 --interval 0.1");
    assert!(text.contains("one walk of"), "{text}");
}

/// A CPU that goes offline between two reports is not in the second.
#[test]
fn runq_walk_forgets_what_goes_offline() {
    let mut child = Command::new("/t/runq_walk")
        .args(["--json", "--interval", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the sample is in the guest");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut online = || -> Cpus {
        let line = lines.next().expect("a line").expect("UTF-8");
        let look: Value = serde_json::from_str(&line).expect("JSON");
        let cpus = look["cpus"].as_array().expect("CPUs");
        cpus.iter()
            .map(|queue| number(&queue["cpu"]) as u32)
            .collect()
    };
    let all = cpus::sysfs("online");
    assert_eq!(online(), all);
    let offline = Offline::new(*all.last().expect("a CPU"));
    let without = cpus::sysfs("online");
    let mut looks = (0..300).map(|_| online());
    assert!(looks.any(|cpus| cpus == without), "{without:?}");
    drop(offline);
    assert!(looks.any(|cpus| cpus == all), "{all:?}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// A signal ends the sample, and no signal leaves anything behind.
#[test]
fn runq_walk_leaves_nothing() {
    for (signal, status) in [(libc::SIGINT, Some(0)), (libc::SIGKILL, None)] {
        let mut child = Command::new("/t/runq_walk")
            .args(["--json", "--interval", "600"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sample is in the guest");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        lines.next().expect("a line").expect("UTF-8");
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(child.id() as i32, signal) };
        assert_eq!(child.wait().expect("it ends").code(), status);
        assert!(walks::is_unloaded("runq_walk"));
    }
}

#[test]
fn runq_walk_says_that_the_module_is_missing() {
    module::remove_soon();
    let output = walks::run(SAMPLE, "");
    module::insert(module::FILE).expect("insmod");
    walks::says(&output, "modprobe bpf_percpu");
}

#[test]
fn runq_walk_refuses_bad_usage() {
    for args in ["--no-such-option", "--interval 0", "--iterations 0", "x"] {
        let output = walks::run(SAMPLE, args);
        assert_eq!(output.status.code(), Some(2), "{args}: {output:?}");
    }
}
