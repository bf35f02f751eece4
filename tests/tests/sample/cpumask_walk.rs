// SPDX-License-Identifier: GPL-2.0

//! `cpumask_walk`, which shows CPU masks as BPF programs see them.

use std::fs;
use std::process::Command;
use std::process::Output;

use tests::module;

fn cpumask_walk(args: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("/t/cpumask_walk")
        .args(args)
        .output()
        .expect("the sample is in the guest");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), text)
}

#[test]
fn cpumask_walk_agrees_with_the_kernel() {
    let (status, text) = cpumask_walk(&[]);
    assert_eq!(status, Some(0), "{text}");
    for mask in ["possible", "present", "online", "active"] {
        assert!(text.contains(mask), "{text}");
    }
    let (status, text) = cpumask_walk(&["--json"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.trim_start().starts_with('{'), "{text}");
}

/// The control: with another file in place of the kernel's, the sample reports a difference.
#[test]
fn cpumask_walk_sees_a_difference() {
    const FILE: &str = "/sys/devices/system/cpu/possible";
    fs::write("/tmp/possible", "0-200\n").expect("a file");
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).status();
    let mounted = mount(&["mount", "--bind", "/tmp/possible", FILE]).expect("mount runs");
    assert!(mounted.success());
    let (status, text) = cpumask_walk(&[]);
    let unmounted = mount(&["umount", FILE]).expect("umount runs");
    assert!(unmounted.success());
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("0-200"), "{text}");
}

#[test]
fn cpumask_walk_says_that_the_module_is_missing() {
    module::remove_soon();
    let (status, text) = cpumask_walk(&[]);
    module::insert(module::FILE).expect("insmod");
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("modprobe bpf_percpu"), "{text}");
}

#[test]
fn cpumask_walk_refuses_bad_usage() {
    let (status, text) = cpumask_walk(&["--no-such-option"]);
    assert_eq!(status, Some(2), "{text}");
}
