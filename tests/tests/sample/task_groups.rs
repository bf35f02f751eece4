// SPDX-License-Identifier: GPL-2.0

//! `task_cpus` on control groups, and on tasks and groups that do not exist.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;

use serde_json::Value;
use tests::cpus;
use tests::cpus::Offline;
use tests::memory::Group;

use super::task_cpus::mask;
use super::task_cpus::pin;
use super::task_cpus::rows;
use super::task_cpus::SAMPLE;
use super::walks;

/// A process that sleeps.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("10000").spawn().expect("sleep"))
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

/// The report on a control group and its tasks.
fn of_group(group: &Group) -> (Value, BTreeMap<i32, Value>) {
    let report = walks::json(SAMPLE, &format!("--cgroup {}", group.path()));
    (report["cgroups"][0].clone(), rows(&report))
}

/// A group with the CPUs 1 and 3, then with 3 offline, then with both offline.
#[test]
fn task_cpus_walks_a_cpuset() {
    let group = Group::with_cpus("task_cpus", "1,3");
    let (free, pinned) = (Sleeper::start(), Sleeper::start());
    for sleeper in [&free, &pinned] {
        group.set("cgroup.procs", &sleeper.pid().to_string());
    }
    pin(pinned.pid(), [3]);

    // The CPUs of the cpuset; mask and verdict of each task. The kernel's files agree.
    let expect =
        |what: &str, effective: &str, of_group_: &str, of_free: &str, of_pinned: (&str, &str)| {
            let (said, rows) = of_group(&group);
            let text = format!("{what}: {said} {rows:?}");
            let file = |name| cpus::parse(&group.read(name));
            assert_eq!(said["effective"], effective, "{text}");
            assert_eq!(
                walks::cpus_of(&said["effective"]),
                file("cpuset.cpus.effective"),
                "{text}"
            );
            assert_eq!(
                walks::cpus_of(&said["asked"]),
                file("cpuset.cpus"),
                "{text}"
            );
            assert_eq!(said["verdict"], of_group_, "{text}");
            let tids: Vec<_> = rows.keys().copied().collect();
            assert_eq!(tids, [free.pid(), pinned.pid()], "{text}");
            for (tid, row) in &rows {
                assert_eq!(Some(mask(row)), walks::allowed(*tid), "{text}");
            }
            let free = &rows[&free.pid()];
            assert_eq!(
                (&free["allowed"], &free["verdict"]),
                (&effective.into(), &of_free.into()),
                "{text}"
            );
            let pinned = &rows[&pinned.pid()];
            let (mask, verdict) = of_pinned;
            assert_eq!(
                (&pinned["allowed"], &pinned["verdict"]),
                (&mask.into(), &verdict.into()),
                "{text}"
            );
            assert_eq!(pinned["asked"], "3", "{text}");
        };
    expect("all online", "1,3", "ok", "ok", ("3", "one_cpu"));
    let three = Offline::new(3);
    expect("3 offline", "1", "one_online", "one_cpu", ("1", "moved"));
    let one = Offline::new(1);
    let others = "0,2";
    expect("1 and 3 offline", others, "moved", "ok", (others, "moved"));
    drop(one);
    expect(
        "1 online again",
        "1",
        "one_online",
        "one_cpu",
        ("1", "moved"),
    );
    drop(three);
    expect("all online again", "1,3", "ok", "ok", ("3", "one_cpu"));
}

/// The tasks of a group are its own, and on request those of groups below that use its cpuset.
#[test]
fn task_cpus_walks_groups_below() {
    let group = Group::with_cpus("task_cpus_above", "1-2");
    let below = group.below("below");
    let (one, other) = (Sleeper::start(), Sleeper::start());
    group.set("cgroup.procs", &one.pid().to_string());
    below.set("cgroup.procs", &other.pid().to_string());

    let (_, rows_of_one) = of_group(&group);
    assert_eq!(rows_of_one.keys().collect::<Vec<_>>(), [&one.pid()]);
    let (said, rows_of_other) = of_group(&below);
    assert_eq!(rows_of_other.keys().collect::<Vec<_>>(), [&other.pid()]);
    assert_eq!(said["inherited"], true);
    assert_eq!(said["effective"], "1-2");

    let report = walks::json(SAMPLE, &format!("--cgroup {} --recursive", group.path()));
    let rows = rows(&report);
    assert_eq!(rows.keys().collect::<Vec<_>>(), [&one.pid(), &other.pid()]);
    assert_eq!(rows[&one.pid()]["cgroup"], group.path());
    assert_eq!(rows[&other.pid()]["cgroup"], below.path());
    let groups = report["cgroups"].as_array().expect("groups");
    assert_eq!(groups.len(), 2, "{report}");
    drop((one, other));
    drop(below);
}

#[test]
fn task_cpus_says_what_is_not_there() {
    let gone = Command::new("true").spawn().and_then(|mut child| {
        let id = child.id();
        child.wait().map(|_| id)
    });
    let pid = gone.expect("it ends");
    walks::fails(
        SAMPLE,
        &format!("--pid {pid}"),
        &format!("no process or thread {pid}"),
    );
    walks::fails(
        SAMPLE,
        "--cgroup /sys/fs/cgroup/none",
        "/sys/fs/cgroup/none cannot be found",
    );
    walks::fails(SAMPLE, "--cgroup /tmp", "/tmp is no control group");
    walks::fails(
        SAMPLE,
        "--cgroup /sys/fs/cgroup/cgroup.procs",
        "not a directory",
    );

    // The current directory of the process is removed.
    let path = "/sys/fs/cgroup/task_cpus_dead";
    fs::create_dir(path).expect("a new group");
    let mut command = Command::new("/t/task_cpus");
    command.args(["--cgroup", "."]).current_dir(path);
    // SAFETY: `rmdir()` is async-signal-safe, and the string is valid for the call.
    unsafe {
        command.pre_exec(
            || match libc::rmdir(c"/sys/fs/cgroup/task_cpus_dead".as_ptr()) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        )
    };
    let output = command.output().expect("the sample is in the guest");
    walks::says(&output, "control group . has been removed");
}
