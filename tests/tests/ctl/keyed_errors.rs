// SPDX-License-Identifier: GPL-2.0

//! Errors of commands on keyed stores: one line that says what was wrong and what to do, and the
//! status.

use std::fs;

use bpf_percpu::store::Error;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use bpf_percpu::variables;
use tests::cpus;
use tests::module;
use tests::object;

use crate::take::Taken;
use tests::percpuctl::command;
use tests::percpuctl::fails;
use tests::percpuctl::json;
use tests::percpuctl::run;
use tests::percpuctl::says;
use tests::percpuctl::store;

#[test]
fn create() {
    fs::write("/tmp/nine", [9; 9]).expect("a file");
    let _plain = store("plain", 8);
    let _keyed = Taken::new("keyed", KeyKind::U64, 4);
    let keyed = "--key u64 --entries 4";
    for name in ["plain", "keyed"] {
        let exists = [
            &*format!("'{name}' exists"),
            &format!("percpuctl rm {name}"),
        ];
        says(&format!("create {name} --size 8"), &exists);
        says(&format!("create {name} --size 8 {keyed}"), &exists);
    }
    says(&format!("create a/b --size 8 {keyed}"), &["'a/b'", "A-Z"]);
    says(
        &format!("create x --size 0 {keyed}"),
        &["0 bytes", "1 to 32768"],
    );
    says(
        &format!("create x --size 32769 {keyed}"),
        &["32769", "32768"],
    );
    says(
        &format!("create x --size 8 --image /tmp/nine {keyed}"),
        &["9 bytes", "raise the size"],
    );
    says(
        "create x --size 8 --key task --entries 0",
        &["'x'", "0 entries", "1 or more"],
    );
    says(
        "create x --size 32K --key u64 --entries 4000000000",
        &["'x'", "4000000000 entries of 32768 bytes", "max_bytes"],
    );
    assert!(Store::open("x").is_err(), "a failed call changes nothing");
}

/// The limits of the module apply to plain and keyed stores together.
#[test]
fn limits() {
    module::remove_soon();
    module::insert_with(module::FILE, "max_stores=2 max_bytes=65536").expect("insmod");
    let one = Options::new("one", 8).keyed(KeyKind::U64, 4).create();
    let bytes = "create two --size 32K --key u64 --entries 2";
    let (bytes, much) = (
        fails(bytes),
        fails(&bytes.replace("entries 2", "entries 3")),
    );
    let two = Options::new("two", 8).keyed(KeyKind::U64, 4).create();
    let stores = fails("create three --size 8 --key task --entries 1");
    drop((one.expect("a store"), two.expect("another")));
    module::remove_soon();
    module::insert(module::FILE).expect("insmod");
    for (line, words) in [
        (bytes, ["'two' with 2 entries of 32768", "percpuctl rm"]),
        (much, ["'two' cannot have 3 entries", "larger max_bytes"]),
        (stores, ["'three' with 1 entries", "max_stores"]),
    ] {
        for word in words {
            assert!(line.contains(word), "no '{word}' in: {line}");
        }
    }
}

/// A command that needs a key asks for it. A command that takes none refuses it.
#[test]
fn keys_that_are_missing_or_too_much() {
    let _plain = store("plain", 8);
    let keyed = Taken::new("keyed", KeyKind::Cgroup, 4);
    for line in [
        "dump keyed",
        "set keyed --offset 0 --value 1 --all",
        "watch keyed",
        &format!("dump --id {}", keyed.store.id()),
    ] {
        says(
            line,
            &[
                "'keyed' has entries by cgroup",
                "--key",
                "percpuctl show keyed",
            ],
        );
    }
    for line in [
        "dump plain --key 1",
        "set plain --key 1 --offset 0 --value 1 --all",
        "sum plain --key 1 --offset 0",
        "watch plain --key 1",
        "rm plain --key 1",
    ] {
        says(line, &["'plain' is not keyed", "leave out --key"]);
    }
    assert!(Store::open("plain").is_ok(), "nothing was removed");
}

#[test]
fn owners_without_an_entry() {
    let tasks = Taken::new("tasks", KeyKind::Task, 4);
    let _cgroups = Taken::new("cgroups", KeyKind::Cgroup, 4);
    let _keys = Taken::new("keys", KeyKind::U64, 4);
    tasks.add(std::process::id().into(), 0, 7);
    for (name, key, owner) in [
        ("tasks", "1", "task 1"),
        ("tasks", "99999999999", "task 99999999999"),
        ("cgroups", "1", "cgroup 1"),
        ("cgroups", "12345678", "cgroup 12345678"),
        ("keys", "0x10", "key 16"),
    ] {
        let has_none = format!("{owner} has no entry in store '{name}'");
        let words = [&*has_none, &format!("percpuctl show {name}")];
        for line in [
            format!("dump {name} --key {key}"),
            format!("dump {name} --key {key} --cpu 0"),
            format!("set {name} --key {key} --offset 0 --value 1 --all"),
            format!("sum {name} --key {key} --offset 0"),
            format!("watch {name} --key {key}"),
            format!("rm {name} --key {key}"),
        ] {
            says(&line, &words);
        }
    }
    says(
        "sum cgroups --key no/such --offset 0",
        &["no cgroup", "/no/such"],
    );
    says(
        "sum cgroups --key /cgroup.procs --offset 0",
        &["cgroup.procs is no cgroup"],
    );
    let pid = std::process::id();
    assert_eq!(json(&format!("sum tasks --key {pid} --offset 0"))["sum"], 7);
}

#[test]
fn ranges() {
    let taken = Taken::new("ranges", KeyKind::U64, 4);
    taken.add(1, 0, 0);
    let past = ["'ranges'", "16 bytes", "past its end"];
    for line in [
        "dump ranges --key 1 --offset 16",
        "set ranges --key 1 --offset 12 --value 1 --all",
        "set ranges --key 1 --offset 12 --value 1 --cpu 0",
        "set ranges --key 1 --offset 0xffffffff --value 1 --all",
        "sum ranges --key 1 --offset 16",
        "sum ranges --offset 16",
        "sum ranges --offset 4294967288",
        "watch ranges --key 1 --offset 8 --count 2",
    ] {
        says(line, &past);
    }
    for line in ["sum ranges --offset 4", "sum ranges --key 1 --offset 4"] {
        says(line, &["offset 4", "multiple of 8"]);
    }
    let last = cpus::nr_cpu_ids() - 1;
    for cpu in [last + 1, u32::MAX] {
        let words = [&*cpu.to_string(), &format!("use one of 0-{last}")];
        says(&format!("dump ranges --key 1 --cpu {cpu}"), &words);
        let set = format!("set ranges --key 1 --offset 0 --value 1 --cpu {cpu}");
        says(&set, &words);
    }
    assert_eq!(json("sum ranges --offset 0")[0]["sum"], 0);
    assert_eq!(json("sum ranges --offset 8")[0]["sum"], 0);
}

#[test]
fn bad_usage() {
    let _tasks = Taken::new("tasks", KeyKind::Task, 4);
    let _keys = Taken::new("keys", KeyKind::U64, 4);
    for line in [
        "create x --size 8 --key task",
        "create x --size 8 --entries 4",
        "create x --size 8 --key pid --entries 4",
        "create x --size 8 --key task --entries many",
        "create x --size 8 --key task --entries 4294967296",
        "show keys --key 1",
        "list --key 1",
        "dump tasks --key init",
        "sum tasks --key 1.5 --offset 0",
        "rm keys --key /",
        "dump keys --key 18446744073709551616",
        "watch keys --key -1",
    ] {
        let ran = run(command(line));
        assert_eq!(ran.status, Some(2), "{line}: {ran:?}");
        assert_eq!(ran.stdout, "", "{line}");
        assert!(!ran.stderr.is_empty(), "{line}");
    }
    let ran = run(command("dump tasks --key init"));
    for word in ["'init'", "--key", "thread id"] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    assert!(Store::open("x").is_err());
}

/// A command for plain stores refuses a keyed store of the same size, and vice versa.
#[test]
fn the_other_kind() {
    let plain = store("plain", 16);
    let keyed = Taken::new("keyed", KeyKind::U64, 4).store;
    let takes_plain = |result: Result<Store, Error>| {
        let said = result.expect_err("it is keyed").to_string();
        assert!(
            said.contains("'keyed' is keyed") && said.contains("rm keyed"),
            "{said}"
        );
    };
    let as_plain = |store: Store| store.sum_u64(0).map(|_| store);
    takes_plain(Store::open("keyed").and_then(as_plain));
    takes_plain(Store::open_id(keyed.id()).and_then(as_plain));
    takes_plain(Options::new("keyed", 16).create_or_open());
    let takes_keyed = |result: Result<Store, Error>| {
        let said = result.expect_err("it is plain").to_string();
        assert!(
            said.contains("'plain' is not keyed") && said.contains("rm plain"),
            "{said}"
        );
    };
    let as_keyed = |store: Store| store.entry(0);
    takes_keyed(Store::open("plain").and_then(as_keyed));
    takes_keyed(Store::open_id(plain.id()).and_then(as_keyed));
    takes_keyed(
        Options::new("plain", 16)
            .keyed(KeyKind::U64, 4)
            .create_or_open(),
    );

    // A section of per-CPU variables of the same size refuses it, too.
    let size = Options::new("keyed8", 8).keyed(KeyKind::U64, 4).create();
    let _keyed8 = size.expect("a store");
    let lowered = variables::Options::new().form(variables::Form::Lowered);
    let load = |options: variables::Options| {
        let open = options.open("count", object!("lower_load-count"));
        open.expect("an object").load()
    };
    let Err(refused) = load(lowered.clone().share(".percpu", "keyed8")) else {
        panic!("it is keyed");
    };
    let said = format!("{refused:#}");
    assert!(said.contains("'keyed8' is keyed"), "{said}");
    load(lowered).expect("an object");
}
