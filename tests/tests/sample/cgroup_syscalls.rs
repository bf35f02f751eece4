// SPDX-License-Identifier: GPL-2.0

//! `cgroup_syscalls`, which counts system calls per cgroup, compared with processes that know how
//! many they made.
//!
//! There is no control with a counter that loses. Programs on kprobes run with preemption disabled,
//! so nothing interrupts a count, and a per-CPU array would be exact here as well if it had a value
//! for each cgroup. The target `exact` has programs that interrupt each other, and counters that
//! lose.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use bpf_percpu::store::Error;
use bpf_percpu::store::Store;
use serde_json::json;
use serde_json::Value;
use tests::cpus;
use tests::cpus::soon;
use tests::memory::Group;
use tests::module;

mod worker;

use worker::Worker;

/// The number of calls that a worker makes at a time.
const CALLS: u64 = 2_000;

/// More reports than fit into a pipe: one that is read may have been written long ago.
const LOOKS: usize = 1000;

fn cgroup_syscalls(args: &str) -> Output {
    Command::new("/t/cgroup_syscalls")
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

fn stdout(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(args: &str) -> String {
    let output = cgroup_syscalls(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// A running sample, and its store.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    store: Store,
}

impl Running {
    fn start(args: &str) -> Self {
        let mut child = Command::new("/t/cgroup_syscalls")
            .args(["--json", "--interval", "0.2"])
            .args(args.split_whitespace())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sample is in the guest");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // Wait until it counts.
        lines.next().expect("a line").expect("UTF-8");
        let store = Store::open("cgroup_syscalls").expect("its store");
        Self {
            child,
            lines,
            store,
        }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("UTF-8");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    /// Waits until its report is as wanted.
    fn soon(&mut self, says: impl Fn(&Value) -> bool) -> bool {
        (0..LOOKS).any(|_| says(&self.next()))
    }

    /// Waits until it reports these calls on the CPUs of a cgroup.
    fn says(&mut self, cgroup: &str, cpus: &[u64]) -> bool {
        self.soon(|look| of(look, cgroup).is_some_and(|found| found["cpus"] == json!(cpus)))
    }

    /// Ends it. Returns its last report and its status.
    fn end(mut self) -> (Value, Option<i32>) {
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        let mut last = self.next();
        for line in self.lines.by_ref() {
            last = serde_json::from_str(&line.expect("UTF-8")).expect("JSON");
        }
        assert!(last["seconds"].is_number(), "{last}");
        (last, self.child.wait().expect("it ends").code())
    }

    /// The count of a cgroup on each CPU.
    fn counted(&self, group: &Group) -> Vec<u64> {
        let counted = match self
            .store
            .entry(id(group))
            .expect("a keyed store")
            .read_u64(0)
        {
            // The cgroup has made no call.
            Err(Error::NoEntry { .. }) => return vec![0; possible().len()],
            counted => counted.unwrap_or_else(|e| panic!("{}: {e}", group.path())),
        };
        counted.into_iter().map(|(_, count)| count).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(group: &Group) -> u64 {
    fs::metadata(group.path()).expect("a directory").ino()
}

/// The part of a report about a cgroup.
fn of<'a>(look: &'a Value, cgroup: &str) -> Option<&'a Value> {
    let cgroups = look["cgroups"].as_array().expect("an array");
    cgroups.iter().find(|found| found["cgroup"] == cgroup)
}

fn possible() -> Vec<u32> {
    cpus::sysfs("possible").into_iter().collect()
}

fn grown(before: &[u64], after: &[u64]) -> Vec<u64> {
    before.iter().zip(after).map(|(a, b)| b - a).collect()
}

/// A cgroup with a process on each CPU: the calls on each CPU are right. A cgroup whose many
/// processes preempt each other: the sum is right. Nothing else makes calls there.
#[test]
fn cgroup_syscalls_counts_each_call() {
    let (pinned, mixed) = (Group::new("pinned"), Group::new("mixed"));
    let mut running = Running::start("");
    let cpus = possible();
    let mut on_cpus: Vec<_> = cpus
        .iter()
        .map(|cpu| Worker::on(&pinned, Some(*cpu)))
        .collect();
    let mut many: Vec<_> = (0..2 * cpus.len() + 1)
        .map(|_| Worker::new(&mixed))
        .collect();
    for round in 1..=3 {
        let before = [&pinned, &mixed].map(|group| running.counted(group));
        for (worker, calls) in on_cpus.iter_mut().zip(1..) {
            worker.go(round * calls * CALLS);
        }
        many.iter_mut().for_each(|worker| worker.go(CALLS));
        on_cpus.iter().chain(&many).for_each(Worker::wait);
        let after = [&pinned, &mixed].map(|group| running.counted(group));
        let expected: Vec<_> = (1..)
            .map(|calls| round * calls * CALLS + 1)
            .take(cpus.len())
            .collect();
        assert_eq!(grown(&before[0], &after[0]), expected);
        let sum: u64 = grown(&before[1], &after[1]).iter().sum();
        assert_eq!(sum, many.len() as u64 * (CALLS + 1));
    }
    let counted = [&pinned, &mixed].map(|group| running.counted(group));
    assert!(running.says("/pinned", &counted[0]));
    let (last, status) = running.end();
    assert_eq!((&last["lost"], status), (&json!(0), Some(0)));
    for (cgroup, counted) in ["/pinned", "/mixed"].iter().zip(&counted) {
        let found = of(&last, cgroup).expect("a cgroup");
        assert_eq!(found["cpus"], json!(counted), "{cgroup}");
        assert_eq!(found["total"], json!(counted.iter().sum::<u64>()));
        assert!(found["rate"].as_f64() > Some(0.0), "{found}");
    }
}

/// Far more cgroups than entries are created and removed in turn: each gets an entry that starts
/// from zero, and gives it back.
#[test]
fn cgroup_syscalls_gives_entries_back() {
    const AT_ONCE: u64 = 8;
    let mut running = Running::start("--entries 12");
    for round in 0..5 {
        let groups = (0..AT_ONCE).map(|i| Group::new(&format!("live{i}")));
        let mut groups: Vec<_> = groups.map(|group| (Worker::new(&group), group)).collect();
        for ((worker, _), i) in groups.iter_mut().zip(1..) {
            worker.go(round * 1000 + i);
        }
        for ((worker, group), i) in groups.iter().zip(1..) {
            worker.wait();
            let counted: u64 = running.counted(group).iter().sum();
            assert_eq!(counted, round * 1000 + i + 1, "round {round}, cgroup {i}");
        }
        let last = running.counted(&groups[7].1);
        assert!(running.says("/live7", &last));
        drop(groups);
        let info = || running.store.keyed_info().expect("its store");
        let free = || info().used + info().waiting <= 12 - AT_ONCE as u32;
        assert!(soon(free), "{:?}", info());
        assert!(running.soon(|look| of(look, "/live7").is_none()));
    }
    let (last, status) = running.end();
    assert_eq!(
        (&last["lost"], &last["full"], status),
        (&json!(0), &json!(0), Some(0))
    );
}

/// Calls without an entry are counted as lost, and the message says what to do.
#[test]
fn cgroup_syscalls_says_when_it_is_full() {
    let group = Group::new("late");
    let mut worker = Worker::new(&group);
    // The calls of this test count for the root cgroup, which has the entry by the first report.
    let mut running = Running::start("--entries 1");
    assert!(running.soon(|look| of(look, "/").is_some()));
    assert_eq!(running.next()["lost"], 0, "nobody else makes calls");
    worker.go(CALLS);
    worker.wait();
    assert!(running.soon(|look| look["lost"] == CALLS + 1));
    let (last, status) = running.end();
    assert_eq!((&last["lost"], status), (&json!(CALLS + 1), Some(1)));
    assert_eq!(of(&last, "/late"), None);

    // The report shows it, too.
    let child = Command::new("/t/cgroup_syscalls")
        .args(["--entries", "1", "--summary"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the sample is in the guest");
    let root = fs::metadata("/sys/fs/cgroup").expect("a directory").ino();
    let count = |store: Store| store.entry(root).and_then(|entry| entry.sum_u64(0));
    assert!(soon(|| Store::open("cgroup_syscalls")
        .and_then(count)
        .is_ok()));
    worker.go(CALLS);
    worker.wait();
    // SAFETY: The child has not been waited for, so the pid is still its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let warning = text.lines().next().expect("a line");
    assert!(warning.contains("calls were NOT COUNTED"), "{text}");
    assert!(warning.ends_with("give --entries 2"), "{text}");
}

#[test]
fn cgroup_syscalls_shows_tables() {
    let group = Group::new("shown");
    let below = group.below("below");
    let mut worker = Worker::new(&below);
    let mut running = Running::start("--cgroup shown");
    worker.go(CALLS);
    worker.wait();
    let counted = running.counted(&below);
    assert!(running.says("/shown/below", &counted));
    let look = running.next();
    assert_eq!(of(&look, "/"), None, "it is not below");
    assert_eq!(look["total"], json!(CALLS + 1), "{look}");
    drop(running);
    assert!(soon(|| Store::open("cgroup_syscalls").is_err()));

    let text = stdout(cgroup_syscalls("--iterations 3 --interval 0.1 --top 1"));
    assert_eq!(text.matches("cgroup  ").count(), 4, "{text}");
    assert!(text.contains("\nIn "), "{text}");
    assert!(
        text.contains("CPU0") && text.contains("; the top 1:"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text:?}");
    let text = stdout(cgroup_syscalls("--duration 0.3 --summary --total"));
    assert_eq!(text.matches("cgroup  ").count(), 1, "{text}");
    assert!(text.contains("\n/ ") && !text.contains("CPU0"), "{text}");
}

/// A second sample refuses to count in the same store, which goes with the first.
#[test]
fn cgroup_syscalls_is_alone() {
    let running = Running::start("");
    let id = running.store.id();
    let said = refused("--summary --duration 1");
    assert!(said.contains("in use"), "{said}");
    let said = refused("--summary --duration 1 --entries 5");
    assert!(said.contains("1024 entries, not 5"), "{said}");
    assert_eq!(running.end().1, Some(0));
    assert!(soon(|| Store::open_id(id).is_err()));
}

#[test]
fn cgroup_syscalls_says_what_is_wrong() {
    assert!(refused("--cgroup no/such").contains("no/such"));
    assert!(refused("--cgroup cgroup.procs").contains("is no cgroup"));
    assert!(refused("--entries 0").contains("1 or more"));
    assert!(refused("--entries 4000000000").contains("max_bytes"));
    module::remove_soon();
    let said = refused("--summary --duration 1");
    module::insert(module::FILE).expect("insmod");
    assert!(said.contains("modprobe bpf_percpu"), "{said}");
    for args in [
        "--no-such-option",
        "--duration 0",
        "--interval x",
        "--iterations 0",
        "--entries -1",
        "--summary --iterations 2",
    ] {
        assert_eq!(cgroup_syscalls(args).status.code(), Some(2), "{args}");
    }
}
