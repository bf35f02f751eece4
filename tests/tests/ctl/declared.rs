// SPDX-License-Identifier: GPL-2.0

//! Keyed stores that a BPF program declares with `BPF_PERCPU_KEYED_STORE()`.

use std::fs;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use bpf_percpu::store::bind;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::OpenObject;
use libbpf_rs::ProgramInput;
use serde_json::json;
use serde_json::Value;
use tests::object;

use tests::percpuctl::command;
use tests::percpuctl::failed;
use tests::percpuctl::json;
use tests::percpuctl::prints;
use tests::percpuctl::store;

fn open() -> OpenObject {
    let mut builder = ObjectBuilder::default();
    let open = builder.open_memory(object!("ctl-declared"));
    open.expect("an object")
}

/// Each store is created as declared, and the program finds it.
#[test]
fn stores_are_what_the_program_wants() {
    let mut open = open();
    let stores = bind(&mut open).expect("stores");
    let shapes: Vec<_> = stores
        .iter()
        .map(|(name, store)| (&**name, store.kind(), store.size(), store.entry_count()))
        .collect();
    let expected = [
        ("declared_cgroups", Some(KeyKind::Cgroup), 16, Some(5)),
        ("declared_keys", Some(KeyKind::U64), 8, Some(6)),
        ("declared_plain", None, 8, None),
        ("declared_tasks", Some(KeyKind::Task), 8, Some(4)),
    ];
    assert_eq!(shapes, expected);

    let object = open.load().expect("an object");
    let mut programs = object.progs_mut();
    let program = programs.next().expect("a program");
    let ran = program.test_run(ProgramInput::default());
    assert_eq!(ran.expect("a run").return_value, 5);
    assert_eq!(stores["declared_plain"].sum_u64(0).expect("a counter"), 1);
    // SAFETY: `getpid()` has no preconditions.
    let tid = unsafe { libc::gettid() } as u64;
    let root = fs::metadata("/sys/fs/cgroup").expect("a directory").ino();
    for (name, owner, off, count) in [
        ("declared_tasks", tid, 0, 1),
        ("declared_cgroups", root, 8, 1),
        ("declared_keys", 7, 0, 2),
    ] {
        let sum = stores[name]
            .entry(owner)
            .expect("a keyed store")
            .sum_u64(off);
        assert_eq!(sum.expect("an entry"), count, "{name}");
    }
    drop(stores);
    assert!(Store::open("declared_keys").is_err());
}

/// An existing store is used if it matches the declaration. If not, it is an error.
#[test]
fn others_are_not_taken_for_them() {
    let create = |kind, entries| {
        let created = Options::new("declared_keys", 8)
            .keyed(kind, entries)
            .create();
        created.expect("a store")
    };
    let refused = || bind(&mut open()).expect_err("it is another").to_string();
    let there = create(KeyKind::U64, 6);
    let bound = bind(&mut open()).expect("stores");
    assert_eq!(bound["declared_keys"].id(), there.id());
    drop((bound, there));
    let there = create(KeyKind::U64, 7);
    assert!(refused().contains("7 entries, not 6"), "{}", refused());
    drop(there);
    let there = create(KeyKind::Task, 6);
    assert!(refused().contains("by task, not by u64"), "{}", refused());
    drop(there);
    let there = store("declared_keys", 8);
    assert!(
        refused().contains("'declared_keys' is not keyed"),
        "{}",
        refused()
    );
    drop(there);

    let there = Options::new("declared_plain", 8)
        .keyed(KeyKind::U64, 1)
        .create();
    let said = bind(&mut open()).expect_err("it is keyed").to_string();
    assert!(said.contains("'declared_plain' is keyed"), "{said}");
    drop(there);
}

/// `percpuctl load` creates the stores, and pins them with the programs.
#[test]
fn load() {
    const DIR: &str = "/sys/fs/bpf/declared";
    fs::write("/tmp/declared.o", object!("ctl-declared")).expect("room in /tmp");
    let report = json(&format!("load /tmp/declared.o --pin {DIR}"));
    let stores = report["stores"].as_array().expect("an array");
    let find = |name: &str| -> &Value {
        let found = stores.iter().find(|store| store["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {report}"))
    };
    assert_eq!(stores.len(), 4, "{report}");
    let plain = find("declared_plain").as_object().expect("an object");
    assert_eq!(plain.keys().collect::<Vec<_>>(), ["bytes", "id", "name"]);
    for (name, key, bytes, entries) in [
        ("declared_tasks", "task", 8, 4),
        ("declared_cgroups", "cgroup", 16, 5),
        ("declared_keys", "u64", 8, 6),
    ] {
        let store = find(name);
        assert_eq!(store["key"], key, "{store}");
        assert_eq!(
            (&store["bytes"], &store["entries"]),
            (&json!(bytes), &json!(entries))
        );
        let shown = json(&format!("show {name}"));
        assert_eq!(
            (&shown["pinned"], &shown["id"]),
            (&json!(true), &store["id"])
        );
    }
    fs::remove_dir_all(DIR).expect("a directory");
    for store in stores {
        prints(&format!("rm {}", store["name"].as_str().expect("a name")));
    }

    // A failed load removes all stores, although they have been pinned.
    let full = File::options().write(true).open("/dev/full");
    let output = command(&format!("load /tmp/declared.o --pin {DIR}"))
        .stdout(full.expect("/dev/full"))
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|child| child.wait_with_output())
        .expect("percpuctl");
    let said = failed(output.into());
    assert!(said.contains("No space left"), "{said}");
    assert!(Store::open("declared_keys").is_err());
    assert!(Store::open("declared_plain").is_err());
}
