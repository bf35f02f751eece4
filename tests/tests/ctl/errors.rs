// SPDX-License-Identifier: GPL-2.0

//! Errors of commands: one line that says what was wrong and what to do, and the status.

use std::fs;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use bpf_percpu::store::Store;
use tests::cpus;
use tests::module;

use tests::percpuctl::command;
use tests::percpuctl::failed;
use tests::percpuctl::fails;
use tests::percpuctl::json;
use tests::percpuctl::prints;
use tests::percpuctl::run;
use tests::percpuctl::says;
use tests::percpuctl::store;

#[test]
fn create() {
    fs::write("/tmp/nine", [9; 9]).expect("a file");
    let _taken = store("taken", 8);
    says(
        "create taken --size 8",
        &["'taken' exists", "percpuctl rm taken"],
    );
    says("create a/b --size 8", &["'a/b'", "A-Z a-z 0-9 _ . -"]);
    let long = "x".repeat(64);
    says(&format!("create {long} --size 8"), &[&long, "1 to 63"]);
    says("create x --size 0", &["'x'", "0 bytes", "1 to 32768"]);
    says("create x --size 32769", &["'x'", "32769", "32768"]);
    says("create x --size 33K", &["33792"]);
    says(
        "create x --size 8 --image /tmp/nine",
        &["9 bytes", "8", "raise the size"],
    );
    says(
        "create x --size 8 --image /nothing",
        &["/nothing", "No such file"],
    );
    says("create x --size 8 --image /tmp", &["/tmp", "directory"]);
    assert!(Store::open("x").is_err(), "a failed call changes nothing");
}

#[test]
fn names_and_ids_without_a_store() {
    for which in ["nothing", "--id 4000000000", "--id 0"] {
        let value = which.trim_start_matches("--id ");
        for line in [
            format!("show {which}"),
            format!("dump {which}"),
            format!("set {which} --offset 0 --value 1 --all"),
            format!("sum {which} --offset 0"),
            format!("rm {which}"),
            format!("watch {which}"),
        ] {
            says(&line, &[value, "there is no store", "percpuctl list"]);
        }
    }
    says("show a/b", &["'a/b'", "A-Z"]);
}

#[test]
fn ranges() {
    let _store = store("ranges", 20);
    let past = ["'ranges'", "20 bytes", "past its end"];
    for line in [
        "dump ranges --offset 20",
        "dump ranges --offset 4294967295",
        "set ranges --offset 16 --value 1 --all",
        "set ranges --offset 16 --value 1 --cpu 0",
        "set ranges --offset 0xffffffff --value 1 --all",
        "sum ranges --offset 16",
        "sum ranges --offset 4294967288",
        "watch ranges --offset 16",
        "watch ranges --offset 8 --count 2",
        "watch ranges --offset 8 --count 4294967295",
    ] {
        says(line, &past);
    }
    says(
        "sum ranges --offset 4",
        &["offset 4", "multiple of 8", "u64"],
    );
    says(
        "sum ranges --offset 2 --type u32",
        &["offset 2", "multiple of 4"],
    );
    says("watch ranges --offset 4", &["offset 4", "multiple of 8"]);
    says("watch ranges --count 0", &["--count 1"]);
    let last = cpus::nr_cpu_ids() - 1;
    let possible = format!("use one of 0-{last}");
    for cpu in [last + 1, 8192, u32::MAX].map(|cpu| cpu.to_string()) {
        let words = [&*cpu, &possible];
        says(&format!("dump ranges --cpu {cpu}"), &words);
        says(
            &format!("set ranges --offset 0 --value 1 --cpu {cpu}"),
            &words,
        );
    }
    for copy in json("dump ranges --type hex")["cpus"]
        .as_array()
        .expect("an array")
    {
        assert_eq!(
            copy["bytes"],
            "00".repeat(20),
            "a failed call changes nothing"
        );
    }
}

#[test]
fn removed_twice() {
    let store = store("twice", 8);
    prints("rm twice");
    says(
        &format!("rm --id {}", store.id()),
        &["'twice'", "removed already"],
    );
    says("rm twice", &["there is no store", "'twice'"]);
}

#[test]
fn bad_usage() {
    let _store = store("usage", 8);
    for line in [
        "",
        "nothing",
        "list extra",
        "create usage2",
        "create --size 8",
        "create usage2 --size many",
        "create usage2 --size 8M",
        "create usage2 --size -1",
        "create usage2 --size 4294967296",
        "show",
        "show usage --id 1",
        "dump usage --cpu x",
        "dump usage --type u16",
        "set usage --offset 0 --value 1",
        "set usage --offset 0 --value 1 --cpu 0 --all",
        "set usage --offset 0 --all",
        "set usage --offset 0 --value 1e3 --all",
        "set usage --offset 0 --value -1 --all",
        "set usage --offset 0 --value 18446744073709551616 --all",
        "set usage --offset 0 --value 4294967296 --type u32 --all",
        "set usage --offset 0 --value 123 --type hex --all",
        "sum usage",
        "sum usage --offset 0 --type hex",
        "watch usage --interval 0",
        "watch usage --iterations 0",
        "completions sh",
        "completions bash --json",
    ] {
        let ran = run(command(line));
        assert_eq!(ran.status, Some(2), "{line}: {ran:?}");
        assert_eq!(ran.stdout, "", "{line}");
        assert!(!ran.stderr.is_empty(), "{line}");
    }
    let ran = run(command(
        "set usage --offset 0 --value 4294967296 --type u32 --all",
    ));
    for word in ["'4294967296'", "--value", "4294967295"] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    assert!(Store::open("usage2").is_err());
}

#[test]
fn limits() {
    module::remove_soon();
    module::insert_with(module::FILE, "max_stores=1").expect("insmod");
    prints("create one --size 8");
    let line = fails("create two --size 8");
    module::remove_soon();
    module::insert(module::FILE).expect("insmod");
    for word in ["'two'", "percpuctl rm", "max_stores", "max_bytes"] {
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn without_the_module() {
    module::remove_soon();
    let lines = [
        "list",
        "show x",
        "dump x",
        "create x --size 8",
        "set x --offset 0 --value 1 --all",
        "sum x --offset 0",
        "rm x",
        "watch x",
        "export",
        "export x --once",
    ]
    .map(fails);
    module::insert(module::FILE).expect("insmod");
    for line in lines {
        assert!(line.contains("modprobe bpf_percpu"), "{line}");
    }
}

#[test]
fn without_rights() {
    let mut command = command("list");
    command.uid(65534).gid(65534);
    let line = failed(run(command));
    assert!(line.contains("Permission denied"), "{line}");
    assert!(line.contains("run as root or with CAP_BPF"), "{line}");
}

/// It is an error if the output cannot be written. `create` then removes the store, because the
/// user did not get its id.
#[test]
fn a_full_disk() {
    let full = || {
        Stdio::from(
            File::options()
                .write(true)
                .open("/dev/full")
                .expect("/dev/full"),
        )
    };
    for line in ["list", "create full --size 8", "completions bash", "probe"] {
        let output = command(line)
            .stdout(full())
            .stderr(Stdio::piped())
            .spawn()
            .and_then(|child| child.wait_with_output())
            .expect("percpuctl");
        let line = failed(output.into());
        assert!(line.contains("No space left"), "{line}");
    }
    assert!(Store::open("full").is_err());
}
