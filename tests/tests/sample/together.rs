// SPDX-License-Identifier: GPL-2.0

//! All samples run at once. When they are killed, nothing is left.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use tests::cpus;
use tests::cpus::soon;
use tests::module;

/// The samples, with the arguments that make each run and report until it is killed; none for a
/// sample that ends by itself.
const SAMPLES: &[(&str, Option<&str>)] = &[
    ("cgroup_syscalls", Some("--json --interval 0.5")),
    ("cpumask_walk", None),
    // The other samples read files all the time.
    (
        "lbr_ring",
        Some("--json --functions vfs_read --trigger vfs_open --last 1"),
    ),
    (
        "nmi_count",
        Some("--json --interval 0.5 --duration 3600 --threads 1 --frequency 200"),
    ),
    ("psi_top", Some("--json --interval 0.5")),
    ("runq_walk", Some("--json --interval 0.5")),
    ("shared_tail", Some("--dev lo --json --interval 0.5")),
    ("syscall_count", Some("--json --interval 0.5")),
    ("task_cpus", None),
];

/// Programs in the guest's folder that are not samples, besides this test.
const OTHERS: &[&str] = &["percpuctl"];

const FOLDER: &str = "/t";

/// The samples in the guest's folder.
fn present() -> BTreeSet<String> {
    let this = env::current_exe().expect("a path");
    let files = fs::read_dir(FOLDER).expect("a folder");
    files
        .map(|file| file.expect("a file").path())
        .filter(|path| *path != this && is_program(path))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_string()))
        .filter(|name| !OTHERS.contains(&name.as_str()))
        .collect()
}

fn is_program(path: &PathBuf) -> bool {
    let metadata = fs::metadata(path).expect("a file");
    let magic = fs::read(path).unwrap_or_default();
    // A module is an ELF file, too.
    let is_module = path.extension().is_some_and(|extension| extension == "ko");
    metadata.is_file()
        && metadata.permissions().mode() & 0o111 != 0
        && magic.starts_with(b"\x7fELF")
        && !is_module
}

/// What BPF programs may leave behind: ids by kind.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Left(String, u64);

const LINKS: (&str, &str) = ("link", "bpftool -j link show");

const OTHER_KINDS: [(&str, &str); 3] = [
    ("program", "bpftool -j prog show"),
    ("map", "bpftool -j map show"),
    ("store", "percpuctl list --json"),
];

/// The ids of a kind, from bpftool or percpuctl.
fn all_of((kind, command): (&str, &str)) -> Vec<Left> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().expect("a word"))
        .args(words)
        .output()
        .expect("a tool of the guest");
    assert!(output.status.success(), "{command}: {output:?}");
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = list.as_array().unwrap_or_else(|| panic!("{command}"));
    let id = |one: &Value| one["id"].as_u64().expect("an id");
    list.iter()
        .map(|one| Left(kind.to_string(), id(one)))
        .collect()
}

/// All that exists now.
fn all() -> BTreeSet<Left> {
    let kinds = OTHER_KINDS.into_iter().chain([LINKS]);
    kinds.flat_map(all_of).collect()
}

/// A running sample, which is killed when this is dropped.
struct Running {
    name: &'static str,
    child: Child,
}

impl Running {
    fn start(name: &'static str, args: &str) -> Self {
        let file = |what| File::create(path(name, what)).expect("a new file");
        let child = Command::new(format!("{FOLDER}/{name}"))
            .args(args.split_whitespace())
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn();
        let child = child.unwrap_or_else(|e| panic!("{name}: {e}"));
        Self { name, child }
    }

    /// The length of its output so far.
    fn said(&self) -> u64 {
        let file = fs::metadata(path(self.name, "out"));
        file.expect("its output").len()
    }

    fn must_run(&mut self) {
        let status = self.child.try_wait().expect("a child");
        let error = fs::read_to_string(path(self.name, "err"));
        assert_eq!(status, None, "{} has ended: {error:?}", self.name);
    }

    /// Whether it has a file whose fdinfo has this line.
    fn holds(&self, what: &str) -> bool {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", self.child.id())).expect("a process");
        let mut infos = infos.filter_map(|info| fs::read_to_string(info.ok()?.path()).ok());
        infos.any(|info| info.contains(what))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(name: &str, what: &str) -> String {
    format!("/tmp/together-{name}.{what}")
}

fn run_once(name: &str) {
    let output = Command::new(format!("{FOLDER}/{name}")).output();
    let output = output.unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(output.status.success(), "{name}: {output:?}");
}

/// Runs the samples that end by themselves.
fn short() -> impl Iterator<Item = &'static str> {
    let short = SAMPLES.iter().filter(|(_, args)| args.is_none());
    short.map(|(name, _)| *name)
}

#[test]
fn all_samples_run_together_and_leave_nothing_when_killed() {
    let known: BTreeSet<_> = SAMPLES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(known, present(), "SAMPLES lists what is in samples/");

    let before = all();
    // On one CPU: else those that make load leave no time to a guest whose CPUs share one of the
    // host's.
    let cpus = cpus::allowed();
    cpus::set_affinity(&cpus.first().copied().into_iter().collect());
    let mut running: Vec<_> = SAMPLES
        .iter()
        .filter_map(|(name, args)| Some(Running::start(name, (*args)?)))
        .collect();
    cpus::set_affinity(&cpus);
    for sample in &mut running {
        let runs = soon(|| {
            sample.must_run();
            sample.said() > 0 && sample.holds("prog_id:")
        });
        assert!(runs, "{} does not get to run", sample.name);
    }
    short().for_each(run_once);
    for sample in &mut running {
        let said = sample.said();
        let goes_on = soon(|| {
            sample.must_run();
            sample.said() > said
        });
        assert!(goes_on, "{} says nothing more", sample.name);
    }
    // Programs and stores are found while the samples run. bpftool takes long for links to many
    // functions.
    for kind in OTHER_KINDS {
        let added = all_of(kind).iter().any(|one| !before.contains(one));
        assert!(added, "no new {} shows", kind.0);
    }
    assert!(running.iter().any(|sample| sample.holds("link_id:")));

    for sample in &mut running {
        sample.must_run();
        sample.child.kill().expect("it runs");
    }
    drop(running);
    let left = || {
        let mut now = all();
        now.retain(|one| !before.contains(one));
        now
    };
    assert!(soon(|| left().is_empty()), "left: {:?}", left());

    module::remove_soon();
    module::insert(module::FILE).expect("insmod");
    short().for_each(run_once);
}
