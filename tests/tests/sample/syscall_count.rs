// SPDX-License-Identifier: GPL-2.0

//! `syscall_count`, which counts system calls.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use bpf_percpu::store::Store;
use serde_json::Value;
use tests::module;

fn syscall_count(args: &str) -> Output {
    Command::new("/t/syscall_count")
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

fn stdout(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Each call of the load is counted. The load has several threads on each CPU, which preempt each
/// other.
#[test]
fn syscall_count_counts_each_call() {
    // On a slow machine the load makes few calls.
    let enough = |summary: &Value| summary["load"]["sched_yield"]["made"].as_u64() > Some(10_000);
    let mut summaries = [4, 16, 64, 256].into_iter().map(|seconds| {
        let text = stdout(syscall_count(&format!(
            "--load --duration {seconds} --summary --json"
        )));
        serde_json::from_str::<Value>(&text).expect("JSON")
    });
    let summary = summaries.find(enough).expect("10,000 calls");
    for call in ["getppid", "sched_yield"] {
        let check = &summary["load"][call];
        // Nothing else in the guest makes these calls.
        assert_eq!(check["made"], check["counted"], "{call}: {check}");
    }
    assert_eq!(summary["lost"], 0);
    let first = &summary["syscalls"][0];
    assert_eq!(first["name"], "getppid", "{summary}");
    let cpus = first["cpus"].as_array().expect("an array");
    let busy = cpus.iter().filter(|count| count.as_u64() > Some(0));
    assert_eq!(
        busy.count(),
        cpus.len(),
        "a CPU has counted nothing: {first}"
    );
}

/// The reports of twelve intervals and at the end. On a slow machine half a second is too short for
/// a table.
fn of_twelve_intervals(format: &str, tables: impl Fn(&str) -> usize) -> String {
    let mut texts = [0.5, 2.0, 8.0].into_iter().map(|interval| {
        let duration = 12.0 * interval;
        stdout(syscall_count(&format!(
            "--load --duration {duration} --interval {interval} {format}"
        )))
    });
    let text = texts.find(|text| tables(text) >= 7).expect("7 tables");
    assert!(tables(&text) <= 13, "{text}");
    text
}

#[test]
fn syscall_count_shows_tables() {
    let text = of_twelve_intervals("--top 3", |text| text.matches("system call  ").count());
    assert!(text.contains("getppid"), "{text}");
    assert!(text.contains("getppid() "), "{text}");
    assert!(text.contains(", exact\n"), "{text}");
    assert!(!text.contains("LOST"), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");

    let text = of_twelve_intervals("--json", |text| text.lines().count());
    let looks: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(looks
        .windows(2)
        .all(|two| two[0]["total"].as_u64() <= two[1]["total"].as_u64()));
}

/// A second sample refuses to count in the same store, which goes with the first.
#[test]
fn syscall_count_is_alone() {
    let mut first = Command::new("/t/syscall_count")
        .args(["--json", "--interval", "600"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the sample is in the guest");
    // Wait until it counts.
    let mut lines = BufReader::new(first.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a line").expect("UTF-8");
    let output = syscall_count("--summary --duration 1");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("in use"), "{said}");
    // SAFETY: The child has not been waited for, so the pid is still its own.
    unsafe { libc::kill(first.id() as i32, libc::SIGINT) };
    assert_eq!(first.wait().expect("it ends").code(), Some(0));
    assert!(Store::open("syscall_count").is_err());
}

#[test]
fn syscall_count_says_that_the_module_is_missing() {
    module::remove_soon();
    let output = syscall_count("--summary --duration 1");
    module::insert(module::FILE).expect("insmod");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("modprobe bpf_percpu"), "{said}");
}

#[test]
fn syscall_count_refuses_bad_usage() {
    for args in ["--no-such-option", "--duration 0", "--interval x"] {
        assert_eq!(syscall_count(args).status.code(), Some(2), "{args}");
    }
}
