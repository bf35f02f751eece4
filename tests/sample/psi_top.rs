// SPDX-License-Identifier: GPL-2.0

//! `psi_top`, which shows the pressure of cgroups, beside what the kernel makes of it.

use std::fs;
use std::hint::black_box;
use std::hint::spin_loop;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use tests::cpus;
use tests::cpus::set_affinity;
use tests::cpus::Cpus;
use tests::cpus::Offline;
use tests::iowait;
use tests::memory::Group;
use tests::module;

/// How much waiting is enough to compare, in ns.
const ENOUGH: u64 = 2_000_000_000;

/// How long a load goes on at most to have that.
const LONG: Duration = Duration::from_secs(180);

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

/// One that goes on.
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

/// What a look says of a cgroup.
fn of<'a>(look: &'a Value, cgroup: &str) -> Option<&'a Value> {
    let cgroups = look["cgroups"].as_array().expect("an array");
    cgroups.iter().find(|found| found["cgroup"] == cgroup)
}

/// `total=` of `some` and `full` in a pressure file, in ns.
fn totals(file: &str) -> [u64; 2] {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    ["some ", "full "].map(|start| {
        let line = text.lines().find(|line| line.starts_with(start));
        let total = line.and_then(|line| line.rsplit_once("total=")?.1.parse::<u64>().ok());
        total.unwrap_or_else(|| panic!("no {start} in {file}: {text}")) * 1000
    })
}

const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

/// What the kernel says of a cgroup, of each resource.
fn kernel(group: &str) -> [[u64; 2]; 3] {
    RESOURCES.map(|resource| match group {
        "" => totals(&format!("/proc/pressure/{resource}")),
        _ => totals(&format!("/sys/fs/cgroup/{group}/{resource}.pressure")),
    })
}

/// Runs `load` in a group of its own until its tasks have waited long enough for `resource`, and
/// compares what the sample saw with what the kernel says, for the group and the whole system.
///
/// The load stays on its CPUs: the kernel weighs CPUs by how busy they were in its periods of 2 s, and
/// the sample in shorter ones.
fn compare(
    name: &str,
    resource: usize,
    set_up: impl Fn(&Group),
    load: impl Fn(&AtomicBool) + Sync,
) {
    let attempts = (0..5).find_map(|_| attempt(name, resource, &set_up, &load));
    let [kernel, seen] = attempts.expect("the machine does not stand still all the time");
    for (i, cgroup) in [name, ""].iter().enumerate() {
        for (j, resource) in RESOURCES.iter().enumerate() {
            for (k, state) in ["some", "full"].iter().enumerate() {
                let (kernel, seen) = (kernel[i][j][k], seen[i][j][k]);
                println!("/{cgroup} {resource} {state}: {seen} ns, the kernel says {kernel}");
                // The whole system goes on meanwhile.
                let slack = kernel / 10 + 150_000_000;
                assert!(
                    seen.abs_diff(kernel) <= slack,
                    "/{cgroup} {resource} {state}"
                );
            }
        }
    }
    assert!(seen[0][resource][0] >= ENOUGH, "tasks did not wait");
}

/// Times of some and of all, for each resource, of the group and of the system.
type Waited = [[[u64; 2]; 3]; 2];

/// What the kernel and the sample say of a load; none when the machine stood still, and the sample
/// says that it does not know.
fn attempt(
    name: &str,
    resource: usize,
    set_up: &impl Fn(&Group),
    load: &(impl Fn(&AtomicBool) + Sync),
) -> Option<[Waited; 2]> {
    let group = Group::new(name);
    set_up(&group);
    let mut psi_top = Running::start("--idle");
    let totals = || [name, ""].map(kernel);
    // Its first interval has begun.
    psi_top.next();
    let before = totals();
    let (mut seen, mut unknown) = (Waited::default(), false);
    let mut add = |look: &Value| {
        unknown |= look["unknown_seconds"] != 0.0;
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
    let mut kernel = totals();
    let all = kernel.as_flattened_mut().as_flattened_mut();
    for (now, before) in all.iter_mut().zip(before.as_flattened().as_flattened()) {
        *now -= before;
    }
    (!unknown).then_some([kernel, seen])
}

/// Two that compete for each of two CPUs.
#[test]
fn waiting_for_cpu_is_what_the_kernel_says() {
    compare("compete", 0, |_| {}, |done| compete(&[1, 3], done));
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

/// An interval is longer than the kernel's counters go.
#[test]
fn long_intervals_are_whole() {
    let group = Group::new("long");
    let done = AtomicBool::new(false);
    let look = || {
        let output = psi_top("--json --cgroup long --interval 6 --iterations 1");
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
    // The second of the two has to start; and CPUs where others are weigh, too.
    assert!((0.7..1.05).contains(&part), "{part}: {look}");
}

/// One that has more memory than it should, and is held back for it.
#[test]
fn waiting_for_memory_is_what_the_kernel_says() {
    let limit = |group: &Group| group.set("memory.high", "8M");
    let allocate = |done: &AtomicBool| {
        set_affinity(&[1].into());
        let mut all = Vec::new();
        while !done.load(Relaxed) && all.len() < 64 {
            all.push(black_box(vec![1u8; 1 << 20]));
        }
        while !done.load(Relaxed) {
            // Each page is one more.
            drop(black_box(vec![1u8; 1 << 20]));
        }
    };
    compare("memory", 1, limit, allocate);
}

#[test]
fn waiting_for_io_is_what_the_kernel_says() {
    if !iowait::is_possible() {
        println!("not tested: this kernel has no io_uring");
        return;
    }
    let wait = |done: &AtomicBool| {
        set_affinity(&[3].into());
        while !done.load(Relaxed) {
            iowait::wait(Duration::from_millis(100));
        }
    };
    compare("io", 2, |_| {}, wait);
}

/// Which CPUs a look says that a cgroup has: in its list, and each of its own.
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

/// A cgroup that has CPUs 1 and 3, with all of them online, and without each.
#[test]
fn cpus_are_those_of_the_cpuset() {
    fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset").expect("cpusets");
    let group = Group::new("set");
    group.set("cpuset.cpus", "1,3");
    group.set("cgroup.subtree_control", "+cpuset");
    // One that may use them all, one that may use one, and one below.
    let (_all, one) = (Group::new("set/all"), Group::new("set/one"));
    one.set("cpuset.cpus", "3");
    let _below = Group::new("set/one/below");
    let expected: [(&str, Cpus); 5] = [
        ("", cpus::sysfs("possible")),
        ("set", [1, 3].into()),
        ("set/all", [1, 3].into()),
        ("set/one", [3].into()),
        ("set/one/below", [3].into()),
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
        // The kernel's own list has those that are online; it has its parent's when none is.
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
fn tables_are_sorted() {
    let output = psi_top("--idle --iterations 3 --interval 0.2 --total");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.matches("cgroup  CPU").count(), 3, "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn errors_say_what_is_wrong() {
    assert!(refused("--cgroup no/such").contains("no/such"));
    assert!(refused("--cgroup cgroup.procs").contains("cgroup.procs is no cgroup"));
    let group = Group::new("off");
    group.set("cgroup.pressure", "0");
    let said = refused("--cgroup off");
    assert!(
        said.contains("/off") && said.contains("cgroup.pressure"),
        "{said}"
    );
    // Of all others there is something to see.
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
    ] {
        assert_eq!(psi_top(args).status.code(), Some(2), "{args}");
    }
}

/// The cgroup goes while the sample looks at it.
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
    assert!(said.contains("insmod bpf_percpu.ko"), "{said}");
}
