// SPDX-License-Identifier: GPL-2.0

//! `nmi_count`, which shows what counters lose to programs that interrupt each other.

use std::fs;
use std::process::Command;

use bpf_percpu::store::Store;
use serde_json::Value;
use tests::cpus;
use tests::cpus::soon;
use tests::cpus::Offline;
use tests::module;
use tests::monitor::OneInsn;
use tests::nmi::Watchdog;

mod tool;

use tool::interrupts;
use tool::json_of;
use tool::nmi_count;
use tool::number;
use tool::Stats;
use tool::Tool;
use tool::Witness;
use tool::ADDS_PER_RUN;

/// A counter of a summary.
fn counter<'a>(summary: &'a Value, memory: &str, name: &str) -> &'a Value {
    let counters = summary["counters"].as_array().expect("an array");
    let found = counters
        .iter()
        .find(|one| one["memory"] == memory && one["name"] == name);
    found.unwrap_or_else(|| panic!("no {memory} {name}: {summary}"))
}

/// Checks that the counters that must be exact are.
fn is_exact(status: Option<i32>, summary: &Value) {
    assert_eq!(status, Some(0), "{summary}");
    assert_eq!(summary["exact"], true, "{summary}");
    let expected = number(summary, "/expected");
    let contexts = ["threads", "samples", "nmi_handlers"].map(|name| {
        let context = &summary["added"][name];
        assert_eq!(context["made"], context["counted"], "{name}: {summary}");
        number(context, "/made")
    });
    assert_eq!(contexts.iter().sum::<u64>(), expected, "{summary}");
    for name in ["view", "handle", "id", "limit"] {
        let counted = number(counter(summary, "store", name), "/counted");
        assert_eq!(counted, expected, "{name}: {summary}");
    }
}

/// Compares the output of the tool with the kernel: runs of programs, the store and the map.
fn agrees(summary: &Value, witness: &Witness) {
    let [tasks, samples, nmis] = witness.runs();
    let made = ["threads", "samples", "nmi_handlers"]
        .map(|name| number(summary, &format!("/added/{name}/made")));
    assert_eq!(made, [tasks * ADDS_PER_RUN, samples, nmis], "{summary}");
    for (offset, name) in [(0, "view"), (8, "handle"), (16, "id"), (24, "limit")] {
        let counted = number(counter(summary, "store", name), "/counted");
        assert_eq!(counted, witness.in_store(offset), "{name}: {summary}");
    }
    for (offset, made) in [32, 40, 48].into_iter().zip(made) {
        assert_eq!(witness.in_store(offset), made, "at {offset}: {summary}");
    }
    for (word, name) in ["plain", "limit", "locked"].into_iter().enumerate() {
        let counter = counter(summary, "percpu-array", name);
        let (counted, expected) = (number(counter, "/counted"), number(summary, "/expected"));
        assert_eq!(counted, witness.in_array(word), "{name}: {summary}");
        let lost = expected as i64 - counted as i64;
        assert_eq!(counter["lost"].as_i64(), Some(lost), "{name}: {summary}");
    }
}

/// Checks that each of `cpus` has counted at least this much in a line of a report.
fn each(line: &Value, cpus: &[usize], least: u64) -> bool {
    let counts = line["cpus"].as_array().expect("an array");
    cpus.iter().all(|cpu| counts[*cpu].as_u64() >= Some(least))
}

fn online() -> Vec<usize> {
    // The numbers of the guest's possible CPUs have no gaps.
    cpus::sysfs("online")
        .iter()
        .map(|cpu| *cpu as usize)
        .collect()
}

#[test]
fn nmi_count_shows_that_the_array_loses_and_the_store_does_not() {
    let _stats = Stats::new();
    let mut tool = Tool::start("--source clock");
    let witness = Witness::new();
    let cpus = online();
    tool.wait_until("each CPU counts, and the array loses", |look| {
        let added = &look["added"];
        each(&added["threads"], &cpus, 1000)
            && each(&added["samples"], &cpus, 100)
            && number(look, "/missing/limit/total") > 0
    });
    // The counts so far.
    let before = witness.in_store(0);
    let (status, summary) = tool.end();
    println!("{summary}");
    is_exact(status, &summary);
    agrees(&summary, &witness);
    assert!(number(&summary, "/expected") >= before, "{summary}");
    // A count that is lost stays lost.
    assert!(counter(&summary, "percpu-array", "limit")["lost"].as_i64() > Some(0));
    assert_eq!(counter(&summary, "percpu-array", "locked")["lost"], 0);
    assert_eq!(number(&summary, "/threads"), 2 * cpus.len() as u64);
    // A timer interrupt is not an NMI.
    assert_eq!(number(&summary, "/added/samples/in_nmi"), 0);
}

/// The control: with one thread on each CPU nothing interrupts a count, and the array is exact,
/// too.
#[test]
fn nmi_count_without_interruptions_loses_nothing() {
    let output = nmi_count("--source none --threads 1 --duration 1 --summary --json");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    is_exact(output.status.code(), &summary);
    for name in ["plain", "limit", "locked"] {
        assert_eq!(counter(&summary, "percpu-array", name)["lost"], 0, "{name}");
    }
    assert_eq!(number(&summary, "/added/samples/made"), 0);
    assert_eq!(summary["events"], serde_json::json!({}));
}

#[test]
fn nmi_count_counts_in_nmis() {
    const NMIS: u64 = 30;
    let _stats = Stats::new();
    let mut tool = Tool::start_on_first_cpu();
    let witness = Witness::new();
    let watchdog = Watchdog::new();
    let before = interrupts("NMI");
    for nmis in 1..=NMIS {
        watchdog.fire();
        // No sample is pending when the tool ends.
        assert!(soon(|| interrupts("NMI") >= before + nmis), "no NMI {nmis}");
    }
    tool.wait_until("NMIs are counted", |look| {
        number(look, "/added/nmi_handlers/total") >= NMIS
    });
    let nmis = interrupts("NMI") - before;
    let (status, summary) = tool.end();
    println!("{nmis} NMIs: {summary}");
    is_exact(status, &summary);
    agrees(&summary, &witness);
    // The kernel calls the same handlers each time.
    let made = number(&summary, "/added/nmi_handlers/made");
    assert!(
        nmis > 0 && made >= nmis && made % nmis == 0,
        "{nmis} NMIs: {summary}"
    );
    assert_eq!(number(&summary, "/added/nmi_handlers/in_nmi"), made);
}

/// `(*v)++` loses counts as well where interrupts come between any two instructions, as on
/// hardware. A kernel with lockdep spends nearly all its time in kfuncs, so there nothing is lost
/// for minutes.
#[test]
fn nmi_count_shows_that_a_plain_add_loses() {
    if fs::exists("/proc/lockdep_stats").expect("procfs") {
        println!("not on this kernel, which checks its locks");
        return;
    }
    let mut tool = Tool::start_on_first_cpu();
    {
        let _one_insn = OneInsn::new();
        tool.wait_until("a plain add is lost", |look| {
            number(look, "/missing/plain/total") > 0
        });
    }
    let (status, summary) = tool.end();
    println!("{summary}");
    is_exact(status, &summary);
    assert!(counter(&summary, "percpu-array", "plain")["lost"].as_i64() > Some(0));
}

/// Offline CPUs are left out. The counts of one that goes offline meanwhile stay.
#[test]
fn nmi_count_bears_cpus_that_go_offline() {
    let all = cpus::sysfs("online");
    let (Some(first), Some(last)) = (all.iter().nth(1), all.last().filter(|cpu| **cpu > 1)) else {
        return;
    };
    let _offline = Offline::new(*last);
    let list = bpf_percpu::cpus::list(&cpus::sysfs("online").into_iter().collect::<Vec<_>>());
    let mut tool = Tool::start("");
    let moved = Offline::new(*first);
    tool.look();
    drop(moved);
    tool.look();
    let (status, summary) = tool.end();
    is_exact(status, &summary);
    assert_eq!(summary["cpus"], *list, "{summary}");
    let events = summary["events"].as_object().expect("events");
    assert!(events.values().any(|cpus| *cpus == *list), "{summary}");
}

/// A store with a wrong count is reported. Here user space has changed it.
#[test]
fn nmi_count_fails_when_the_store_is_not_exact() {
    for offset in [8, 32] {
        let mut tool = Tool::start_on_first_cpu();
        // Without counts there is no verdict.
        tool.wait_until("threads add", |look| {
            number(look, "/added/threads/total") > 0
        });
        let args = format!("set nmi_count --offset {offset} --value 0x1000000000000000 --cpu 0");
        let set = Command::new("percpuctl").args(args.split(' ')).status();
        assert!(set.expect("percpuctl is in the guest").success());
        let (status, summary) = tool.end();
        assert_eq!(status, Some(1), "{summary}");
        assert_eq!(summary["exact"], false, "{summary}");
    }
}

#[test]
fn nmi_count_shows_tables() {
    let output = nmi_count("--duration 3 --interval 0.5");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let tables = text.matches("added by threads ").count();
    assert!((1..=8).contains(&tables), "{tables} tables: {text}");
    for counter in [
        "bpf_percpu_view_add_u64(v, 1)",
        "bpf_percpu_add_u64(s, off, 1)",
        "bpf_percpu_id_add_u64(id, off, 1)",
    ] {
        let line = text.lines().find(|line| line.contains(counter));
        assert!(line.is_some_and(|line| line.ends_with("  exact")), "{text}");
    }
    assert!(!text.contains("TOO MANY"), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

/// A second sample refuses to count in the same store. A killed sample leaves nothing.
#[test]
fn nmi_count_is_alone_and_leaves_nothing() {
    let tool = Tool::start("");
    let output = nmi_count("--summary --duration 1");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("in use"), "{said}");
    tool.kill();
    let left = || {
        let programs = json_of("bpftool -j prog show").to_string();
        programs.contains("add_in_") || Store::open("nmi_count").is_ok()
    };
    assert!(soon(|| !left()), "something is left");
}

#[test]
fn nmi_count_says_what_is_wrong() {
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let output = nmi_count("--frequency 4000000000");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said(&output).contains("perf_event_max_sample_rate"),
        "{output:?}"
    );
    // QEMU's emulated CPU has no counters.
    let output = nmi_count("--source cycles --duration 1 --summary");
    if output.status.code() != Some(0) {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(said(&output).contains("--source clock"), "{output:?}");
    }

    module::remove_soon();
    let output = nmi_count("--summary --duration 1");
    module::insert(module::FILE).expect("insmod");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("modprobe bpf_percpu"), "{output:?}");
}

#[test]
fn nmi_count_refuses_bad_usage() {
    for args in [
        "--no-such-option",
        "--duration 0",
        "--threads 0",
        "--frequency 0",
        "--source keyboard",
    ] {
        assert_eq!(nmi_count(args).status.code(), Some(2), "{args}");
    }
}
