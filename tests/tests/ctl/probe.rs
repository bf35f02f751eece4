// SPDX-License-Identifier: GPL-2.0

//! `percpuctl probe`.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::module;

use tests::percpuctl::command;
use tests::percpuctl::json;
use tests::percpuctl::prints;
use tests::percpuctl::run;

/// The kfuncs of the header.
fn kfuncs() -> usize {
    include_str!("../../../include/bpf_percpu_kfuncs.h")
        .lines()
        .filter(|line| line.starts_with("KFUNC("))
        .count()
}

/// The first two numbers of the kernel's release.
fn series() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release
        .split('.')
        .map(|part| part.parse().expect("a number"));
    let mut next = || numbers.next().expect("two numbers");
    (next(), next())
}

#[test]
fn with_the_module() {
    let report = json("probe");
    assert_eq!(report["usable"], true, "{report}");
    assert_eq!(report["module"], true, "{report}");
    assert_eq!(report["device"]["yes"], true, "{report}");
    let found = report["kfuncs"]["found"].as_array().expect("an array");
    assert_eq!(found.len(), kfuncs(), "{report}");
    assert!(
        found.contains(&Value::from("bpf_percpu_add_u64")),
        "{report}"
    );
    assert_eq!(report["kfuncs"]["missing"], Value::Array(vec![]));
    assert_eq!(
        report["native_percpu"]["yes"],
        series() >= (7, 3),
        "{report}"
    );

    let text = prints("probe");
    assert!(text.contains(&format!("{0} of {0}\n", kfuncs())), "{text}");
    assert!(!text.contains("MISSING"), "{text}");
}

#[test]
fn without_the_module() {
    module::remove_soon();
    let text = run(command("probe"));
    let parsed = run(command("probe --json"));
    module::insert(module::FILE).expect("insmod");
    assert_eq!((text.status, parsed.status), (Some(1), Some(1)), "{text:?}");
    assert!(text.stdout.contains("modprobe bpf_percpu"), "{text:?}");
    assert_eq!(
        text.stdout.matches(" MISSING").count(),
        kfuncs(),
        "{text:?}"
    );
    let report: Value = serde_json::from_str(&parsed.stdout).expect("JSON");
    assert_eq!(report["usable"], false);
    assert_eq!(report["module"], false);
    assert_eq!(report["device"]["yes"], false);
    let missing = report["kfuncs"]["missing"].as_array().expect("an array");
    assert_eq!(missing.len(), kfuncs());
}

/// The control: the BTF of another module in place of ours has none of the kfuncs.
#[test]
fn with_btf_that_is_wrong() {
    const BTF: &str = "/sys/kernel/btf/bpf_percpu";
    fs::write("/tmp/no-btf", "no BTF").expect("a file");
    let call = |args: &[&str]| {
        let status = Command::new(args[0]).args(&args[1..]).status();
        assert!(status.expect("busybox").success(), "{args:?}");
    };
    for (file, words) in [
        ("/tmp/no-btf", "cannot be read"),
        ("/sys/kernel/btf/vmlinux", "0 of"),
    ] {
        call(&["mount", "--bind", file, BTF]);
        let ran = run(command("probe"));
        call(&["umount", BTF]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.stdout.contains(words), "{ran:?}");
        assert!(ran.stdout.contains("bpf_percpu_add_u64 MISSING"), "{ran:?}");
    }
}
