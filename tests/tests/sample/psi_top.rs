// SPDX-License-Identifier: GPL-2.0

//! `psi_top`, which shows the pressure of cgroups, compared with the kernel's files.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;
use tests::cpus;
use tests::cpus::Cpus;
use tests::cpus::Offline;
use tests::memory::Group;
use tests::module;

mod pressure;

fn psi_top(args: &str) -> Output {
    Command::new("/t/psi_top")
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

fn refused(args: &str) -> String {
    let output = psi_top(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// A running sample.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(args: &str) -> Self {
        let mut child = Command::new("/t/psi_top")
            .args(["--json", "--interval", "0.3"])
            .args(args.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sample is in the guest");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("UTF-8");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part of a report about a cgroup.
fn of<'a>(look: &'a Value, cgroup: &str) -> Option<&'a Value> {
    let cgroups = look["cgroups"].as_array().expect("an array");
    cgroups.iter().find(|found| found["cgroup"] == cgroup)
}

/// The CPUs of a cgroup in a report: those of its list, and those with values of their own.
fn cpus_of(cgroup: &Value) -> (Cpus, Cpus, Cpus) {
    let list = cpus::parse(cgroup["cpus"].as_str().expect("a list"));
    let each = cgroup["per_cpu"].as_array().expect("an array");
    let number = |cpu: &Value| cpu["cpu"].as_u64().expect("a number") as u32;
    let online = each.iter().filter(|cpu| cpu["online"] == true);
    (
        list,
        each.iter().map(number).collect(),
        online.map(number).collect(),
    )
}

fn effective(group: &str) -> Cpus {
    let file = format!("/sys/fs/cgroup/{group}/cpuset.cpus.effective");
    cpus::parse(&fs::read_to_string(&file).expect("a cpuset"))
}

/// A cgroup has the CPUs 1 and 3. All CPUs are online, then each is offline in turn.
#[test]
fn cpus_are_those_of_the_cpuset() {
    fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset").expect("cpusets");
    let group = Group::new("set");
    group.set("cpuset.cpus", "1,3");
    group.set("cgroup.subtree_control", "+cpuset");
    // A group that may use all CPUs, one that may use one, and one below it. A partition has CPUs
    // of its own and those of a partition in it.
    let (_all, one) = (Group::new("set/all"), Group::new("set/one"));
    one.set("cpuset.cpus", "3");
    let _below = Group::new("set/one/below");
    let part = Group::new("part");
    part.set("cpuset.cpus", "0,2");
    part.set("cpuset.cpus.partition", "root");
    part.set("cgroup.subtree_control", "+cpuset");
    let inside = Group::new("part/in");
    inside.set("cpuset.cpus", "2");
    inside.set("cpuset.cpus.partition", "root");
    let expected: [(&str, Cpus); 7] = [
        ("", cpus::sysfs("possible")),
        ("set", [1, 3].into()),
        ("set/all", [1, 3].into()),
        ("set/one", [3].into()),
        ("set/one/below", [3].into()),
        ("part", [0, 2].into()),
        ("part/in", [2].into()),
    ];
    let check = || {
        let output = psi_top("--json --iterations 1 --interval 0.1");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let look: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            look["cgroups"].as_array().map(Vec::len),
            Some(expected.len()),
            "{look}"
        );
        let online = cpus::sysfs("online");
        for (cgroup, cpus) in &expected {
            let found = of(&look, &format!("/{cgroup}")).expect("it is there");
            let expected = (cpus.clone(), cpus.clone(), cpus & &online);
            assert_eq!(cpus_of(found), expected, "/{cgroup}");
        }
        // The kernel's list has the online CPUs, or those of the parent if none is online.
        for cgroup in ["set", "set/all"] {
            assert_eq!(effective(cgroup), &Cpus::from([1, 3]) & &online, "{cgroup}");
        }
    };
    check();
    for cpu in [3, 1] {
        let _offline = Offline::new(cpu);
        check();
    }
    check();
}

#[test]
fn only_what_is_asked_for() {
    let (_one, _other) = (Group::new("one"), Group::new("other"));
    let _inside = Group::new("one/inside");
    for path in ["one", "/one", "/sys/fs/cgroup/one"] {
        let output = psi_top(&format!(
            "--cgroup {path} --json --iterations 1 --interval 0.1"
        ));
        let look: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(look["cgroups"].as_array().map(Vec::len), Some(2), "{look}");
        assert!(
            of(&look, "/one").is_some() && of(&look, "/one/inside").is_some(),
            "{look}"
        );
    }
}

#[test]
fn only_the_cpus_that_are_asked_for() {
    let output = psi_top("--cpus 1,3 --json --iterations 1 --interval 0.1");
    let look: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (list, each, _) = cpus_of(of(&look, "/").expect("it is there"));
    assert_eq!((list, each), (cpus::sysfs("possible"), [1, 3].into()));
}

/// The cgroups of a table, in order.
fn order(table: &str) -> Vec<&str> {
    let names = table.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| name.starts_with('/')).collect()
}

/// Idle cgroups come last, sorted by name.
#[test]
fn tables_are_sorted() {
    let _groups = ["b", "a", "c"].map(Group::new);
    let output = psi_top("--idle --iterations 3 --interval 0.2 --total");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.matches("cgroup  CPU").count(), 3, "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
    for table in text.split("\n\ncgroup").skip(1) {
        assert_eq!(order(table), ["/", "/a", "/b", "/c"], "{text}");
    }
    let output = psi_top("--idle --iterations 1 --interval 0.2 --total --top 2");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(order(&text), ["/", "/a"], "{text}");
}

#[test]
fn errors_say_what_is_wrong() {
    assert!(refused("--cgroup no/such").contains("no/such"));
    let said = refused("--cpus 0,9-10,8191");
    assert!(
        said.contains("no CPU 9-10,8191") && said.contains("0-3"),
        "{said}"
    );
    assert!(refused("--cgroup cgroup.procs").contains("cgroup.procs is no cgroup"));
    let group = Group::new("off");
    group.set("cgroup.pressure", "0");
    let said = refused("--cgroup off");
    assert!(
        said.contains("/off") && said.contains("cgroup.pressure"),
        "{said}"
    );
    // All others have some pressure.
    let output = psi_top("--iterations 1 --interval 0.1 --json");
    let look: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(look["without_psi"], 1, "{look}");
    assert!(
        of(&look, "/off").is_none() && of(&look, "/").is_some(),
        "{look}"
    );
    for args in [
        "--no-such-option",
        "--interval 0",
        "--sort disk",
        "--iterations 0",
        "--cpus x",
        "--cpus 1-0",
    ] {
        assert_eq!(psi_top(args).status.code(), Some(2), "{args}");
    }
}

/// The cgroup is removed while the sample shows it.
#[test]
fn removed_meanwhile() {
    let group = Group::new("goes");
    let mut psi_top = Running::start("--cgroup goes");
    psi_top.next();
    drop(group);
    for line in psi_top.lines.by_ref() {
        line.expect("UTF-8");
    }
    let status = psi_top.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    let said = std::io::read_to_string(psi_top.child.stderr.take().expect("a pipe"));
    let said = said.expect("UTF-8");
    assert!(said.contains("/goes") && said.contains("removed"), "{said}");
}

#[test]
fn says_that_the_module_is_missing() {
    module::remove_soon();
    let said = refused("--iterations 1");
    module::insert(module::FILE).expect("insmod");
    assert!(said.contains("modprobe bpf_percpu"), "{said}");
}
