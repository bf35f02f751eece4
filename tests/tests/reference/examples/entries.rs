// SPDX-License-Identifier: GPL-2.0

//! Entries of keyed stores.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use bpf_percpu::store::Store;
use tests::attach::trigger;
use tests::cpus;
use tests::memory::Group;
use tests::object;

use super::Example;
use super::PASS;

fn example() -> Example {
    Example::new(object!("reference-entries"))
}

fn sum(store: &Store, owner: u64) -> Option<u64> {
    store.entry(owner).expect("a keyed store").sum_u64(0).ok()
}

#[test]
fn a_task_and_its_calls() {
    let example = example();
    let tasks = &example.stores["reference_tasks"];
    // SAFETY: `gettid()` has no preconditions.
    let tid = unsafe { libc::gettid() } as u64;
    let link = example.attach("count_calls");
    trigger();
    let counted = sum(tasks, tid).expect("an entry");
    trigger();
    assert!(sum(tasks, tid).expect("an entry") > counted);
    drop(link);
    assert!(
        cpus::soon(|| example.run("forget_me") == -libc::ENOENT),
        "the program still runs"
    );
    assert_eq!(sum(tasks, tid), None);
}

#[test]
fn a_cgroup_and_its_processes() {
    let example = example();
    let cgroups = &example.stores["reference_cgroups"];
    let _links = ["count_forks", "forget_cgroup"].map(|name| example.attach(name));
    let group = Group::new("reference");
    let id = fs::metadata("/sys/fs/cgroup/reference").expect("a cgroup");
    let id = id.ino();
    assert_eq!(sum(cgroups, id), None);
    // The shell joins the cgroup before it starts another process.
    let script = "echo $$ >/sys/fs/cgroup/reference/cgroup.procs && (exit 0); (exit 0); :";
    let shell = Command::new("sh").args(["-c", script]).status();
    assert!(shell.expect("a shell").success());
    assert_eq!(sum(cgroups, id), Some(2));
    // At once, before the kernel frees it.
    drop(group);
    assert_eq!(sum(cgroups, id), None);
}

#[test]
fn packets_by_length() {
    let example = example();
    let lengths = &example.stores["reference_lengths"];
    assert_eq!(example.run("is_empty"), 1);
    assert_eq!(example.run("most_frequent"), 0);
    for len in [100, 300, 64, 310, 127, 40] {
        assert_eq!(example.packet("count_lengths", len), PASS);
    }
    assert_eq!(example.run("is_empty"), 0);
    assert_eq!(example.run("most_frequent"), 64);
    let counts = [0, 64, 128, 256].map(|length| sum(lengths, length));
    assert_eq!(counts, [Some(1), Some(3), None, Some(2)]);
    assert_eq!(example.run("forget_64"), 0);
    assert_eq!(example.run("forget_64"), -libc::ENOENT);
    assert_eq!(example.run("most_frequent"), 256);
}
