// SPDX-License-Identifier: GPL-2.0

//! Each command on keyed stores: what it does and prints.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use serde_json::json;
use serde_json::Value;
use tests::cpus;
use tests::cpus::soon;
use tests::memory::Group;

use crate::take::Taken;
use tests::percpuctl::command;
use tests::percpuctl::ends;
use tests::percpuctl::failed;
use tests::percpuctl::json;
use tests::percpuctl::prints;
use tests::percpuctl::store;

fn possible() -> Vec<u32> {
    cpus::sysfs("possible").into_iter().collect()
}

/// The cells of a table, by line.
fn cells(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

fn owners(name: &str) -> Value {
    json(&format!("show {name}"))["owners"].clone()
}

#[test]
fn create_list_show_remove() {
    let plain = store("plain", 8);
    let id: u32 = prints("create keyed --size 0x10 --key cgroup --entries 5")
        .trim()
        .parse()
        .expect("an id");
    let second = json("create second --size 1K --key u64 --entries 0x10");
    let expected = json!({
        "id": id + 1, "name": "second", "size": 1024, "pinned": true, "key": "u64", "entries": 16,
    });
    assert_eq!(second, expected);

    let list = prints("list");
    let line = list
        .lines()
        .find(|line| line.contains(" keyed "))
        .expect("a line");
    assert!(line.ends_with("  pinned, 5 entries by cgroup"), "{list}");
    let line = list
        .lines()
        .find(|line| line.contains(" plain "))
        .expect("a line");
    assert!(line.ends_with("  held"), "{list}");
    let info = json!({
        "id": id, "name": "keyed", "size": 16, "pinned": true, "removed": false, "refs": 1,
        "key": "cgroup", "entries": 5,
    });
    let plain_info = json!({
        "id": plain.id(), "name": "plain", "size": 8, "pinned": false, "removed": false, "refs": 1,
    });
    let list = json("list");
    for info in [&info, &plain_info] {
        assert!(list.as_array().expect("an array").contains(info), "{list}");
    }

    let shown = prints("show keyed");
    let bytes = 16 * 5 * possible().len();
    for line in [
        &format!("size   16 bytes per CPU and entry, {bytes} on the possible CPUs "),
        "key    cgroup\n",
        "used   0 of 5 entries, 0 not free yet\n",
        "full   0 (",
        "locked 0 (",
    ] {
        assert!(shown.contains(line), "no '{line}' in: {shown}");
    }
    let mut expected = info;
    let fields = expected.as_object_mut().expect("an object");
    for (field, value) in [
        ("cpus", json!(possible())),
        ("bytes", json!(bytes)),
        ("used", json!(0)),
        ("waiting", json!(0)),
        ("full", json!(0)),
        ("locked", json!(0)),
        ("owners", json!([])),
    ] {
        fields.insert(field.to_string(), value);
    }
    assert_eq!(json(&format!("show --id {id}")), expected);
    let shown = prints("show plain");
    assert!(!shown.contains("entr"), "{shown}");
    assert_eq!(json("show plain").as_object().map(|all| all.len()), Some(8));

    assert_eq!(prints("rm keyed"), "");
    let removed = json!({"id": id + 1, "name": "second", "removed": true});
    assert_eq!(json("rm second"), removed);
    let list = prints("list");
    assert!(
        !list.contains("keyed") && !list.contains("second"),
        "{list}"
    );
}

#[test]
fn images_are_of_each_entry() {
    fs::write("/tmp/image", [1, 2, 3]).expect("a file");
    prints("create image --size 16 --key u64 --entries 2 --image /tmp/image");
    let taken = Taken::of(Store::open("image").expect("a keyed store"));
    for key in [7, 8] {
        taken.add(key, 8, 0);
        let dump = json(&format!("dump image --key {key} --type hex --count 5"));
        assert_eq!(dump["owner"], json!({"key": key}));
        let copy = |cpu: &u32| json!({"cpu": cpu, "bytes": "0102030000"});
        let copies: Vec<_> = possible().iter().map(copy).collect();
        assert_eq!(dump["cpus"], json!(copies));
    }
    prints("rm image");
}

/// Keys that are numbers, in each width and notation.
#[test]
fn values_of_keys() {
    let taken = Taken::new("values", KeyKind::U64, 4);
    let big = u64::MAX;
    for (key, val) in [(5, 1), (6, 1000), (big, 30)] {
        taken.add(key, 8, val);
    }
    let n = possible().len() as u64;
    assert_eq!(
        prints("set values --key 6 --offset 0 --value 0x10 --all"),
        ""
    );
    let set = json("set values --key 0x5 --offset 0 --value 3 --type u32 --cpu 1");
    assert_eq!(
        (&set["owner"], &set["value"]),
        (&json!({"key": 5}), &json!(3))
    );
    assert_eq!(set["cpus"], json!([1]));

    let dump = json("dump values --key 6");
    assert_eq!(dump["owner"], json!({"key": 6}));
    let copies = dump["cpus"].as_array().expect("an array");
    assert_eq!(copies.len(), possible().len());
    assert!(copies.iter().all(|copy| copy["values"][0] == 16), "{dump}");
    let sum = |copy: &Value| copy["values"][1].as_u64().expect("a number");
    assert_eq!(copies.iter().map(sum).sum::<u64>(), 1000);
    let text = prints("dump values --key 5 --cpu 1 --count 1");
    assert_eq!(text, "offset  CPU1\n     0     3\n");
    assert_eq!(
        json("dump values --key 5 --cpu 0")["cpus"][0]["values"][0],
        0
    );

    assert_eq!(
        prints("sum values --key 6 --offset 0"),
        format!("{}\n", 16 * n)
    );
    let sum = json("sum values --key 18446744073709551615 --offset 8");
    let expected = json!({
        "id": taken.store.id(), "name": "values", "offset": 8, "type": "u64", "sum": 30,
        "owner": {"key": big},
    });
    assert_eq!(sum, expected);
    assert_eq!(json("sum values --key 5 --offset 0 --type u32")["sum"], 3);
}

/// Without a key, `sum` prints a line for each owner, starting with the largest sum.
#[test]
fn sums_of_all() {
    let taken = Taken::new("sums", KeyKind::U64, 600);
    assert_eq!(prints("sum sums --offset 8"), "");
    assert_eq!(json("sum sums --offset 8"), json!([]));
    for (key, val) in [(70, 5), (7, 5), (1, 1 << 40), (2, 0)] {
        taken.add(key, 8, val);
    }
    let text = prints("sum sums --offset 8");
    let expected = "key            sum\n  1  1099511627776\n  7              5\n \
                    70              5\n  2              0\n";
    assert_eq!(text, expected);
    let sums = json("sum sums --offset 8 --type u32");
    let expected = json!([
        {"key": 7, "sum": 5}, {"key": 70, "sum": 5}, {"key": 1, "sum": 0}, {"key": 2, "sum": 0},
    ]);
    assert_eq!(sums, expected);

    // More entries than one ENTRY_LIST returns.
    for key in 1000..1596 {
        taken.add(key, 0, key);
    }
    let sums = json("sum sums --offset 0");
    let sums = sums.as_array().expect("an array");
    assert_eq!(sums.len(), 600);
    for (row, key) in sums.iter().zip((1000..1596).rev()) {
        assert_eq!(row, &json!({"key": key, "sum": key}));
    }
    assert_eq!(json("show sums")["used"], 600);
}

/// A task is a thread, and is shown with its name. Its entry is deleted when it ends.
#[test]
fn tasks() {
    let taken = Taken::new("tasks", KeyKind::Task, 8);
    let (tids, tid) = channel();
    let (end, ended) = channel::<()>();
    let thread = thread::Builder::new().name("a thread".to_string());
    let thread = thread.spawn(move || {
        // SAFETY: `gettid()` has no preconditions.
        tids.send(unsafe { libc::gettid() } as u64).expect("a test");
        let _ = ended.recv();
    });
    let thread = thread.expect("a thread");
    let tid = tid.recv().expect("a thread id");
    let pid = u64::from(std::process::id());
    taken.add(tid, 8, 5);
    taken.add(pid, 8, 7);
    let comm = fs::read_to_string("/proc/self/comm").expect("a name");
    let comm = comm.trim_end();

    let mut expected = [(tid, "a thread"), (pid, comm)];
    expected.sort_unstable();
    let rows = expected.map(|(pid, comm)| json!({"pid": pid, "comm": comm}));
    assert_eq!(owners("tasks"), json!(rows));
    let shown = prints("show tasks");
    assert!(
        shown.contains("used   2 of 8 entries, 0 not free yet\n"),
        "{shown}"
    );
    let (_, table) = shown.split_once("\n\n").expect("a table");
    let rows = cells(table);
    assert_eq!(rows[0], ["pid", "comm"]);
    assert!(
        rows[1..].contains(&vec![&*tid.to_string(), "a", "thread"]),
        "{shown}"
    );

    let sums = json("sum tasks --offset 8");
    let expected = json!([
        {"pid": pid, "comm": comm, "sum": 7}, {"pid": tid, "comm": "a thread", "sum": 5},
    ]);
    assert_eq!(sums, expected);
    assert_eq!(prints(&format!("sum tasks --key {tid} --offset 8")), "5\n");
    let title = prints(&format!("watch tasks --key {tid} --iterations 1"));
    assert!(
        title.contains(&format!(", task {tid} (a thread): 16 bytes")),
        "{title}"
    );

    drop(end);
    thread.join().expect("no panic");
    let one = |owners: Value| owners.as_array().map(Vec::len) == Some(1);
    assert!(soon(|| one(owners("tasks"))), "{}", owners("tasks"));
    assert!(soon(|| json("show tasks")["waiting"] == 0));
}

/// A cgroup is found by id and by path, and shown by path. Its entry is deleted when it ends.
#[test]
fn cgroups() {
    let taken = Taken::new("cgroups", KeyKind::Cgroup, 8);
    let group = Group::new("ctl");
    let below = group.below("below it");
    let id = |path: &str| fs::metadata(path).expect("a directory").ino();
    let root = id("/sys/fs/cgroup");
    let (outer, inner) = (id(group.path()), id(below.path()));
    for (cgroup, val) in [(root, 1), (outer, 20), (inner, 300)] {
        taken.add(cgroup, 0, val);
    }
    let row = |cgroup: u64, path: &str| json!({"cgroup": cgroup, "path": path});
    let mut expected = [(root, "/"), (outer, "/ctl"), (inner, "/ctl/below it")];
    expected.sort_unstable();
    let expected = expected.map(|(id, path)| row(id, path));
    assert_eq!(owners("cgroups"), json!(expected));
    let sums = prints("sum cgroups --offset 0");
    let rows = cells(&sums);
    assert_eq!(rows[0], ["cgroup", "path", "sum"]);
    assert_eq!(rows[1], [&*inner.to_string(), "/ctl/below", "it", "300"]);

    for (key, sum) in [
        ("/", 1),
        ("/sys/fs/cgroup", 1),
        ("ctl", 20),
        ("/ctl", 20),
        ("/ctl/", 20),
        ("/sys/fs/cgroup/ctl", 20),
        (&*outer.to_string(), 20),
        (&*format!("{inner:#x}"), 300),
    ] {
        let line = format!("sum cgroups --key {key} --offset 0");
        assert_eq!(prints(&line), format!("{sum}\n"), "{line}");
    }
    let set = json("set cgroups --key /ctl --offset 8 --value 2 --all");
    assert_eq!(set["owner"], row(outer, "/ctl"));
    let dump = json("dump cgroups --key ctl --offset 8 --cpu 0");
    assert_eq!(
        (&dump["owner"], &dump["cpus"][0]["values"]),
        (&row(outer, "/ctl"), &json!([2]))
    );

    drop(below);
    let gone = || owners("cgroups").as_array().map(Vec::len) == Some(2);
    assert!(soon(gone), "{}", owners("cgroups"));
    assert_eq!(
        owners("cgroups"),
        json!([row(root, "/"), row(outer, "/ctl")])
    );
}

/// An owner without a path: a removed cgroup that a zombie process keeps.
#[test]
fn owners_without_a_name() {
    let taken = Taken::new("nameless", KeyKind::Cgroup, 2);
    let group = Group::new("nameless");
    let id = fs::metadata(group.path()).expect("a directory").ino();
    let start = || Command::new("true").spawn().expect("a process");
    let mut child = group.run(start);
    taken.add(id, 0, 5);
    drop(group);
    assert_eq!(owners("nameless"), json!([{"cgroup": id, "path": null}]));
    let sums = prints("sum nameless --offset 0");
    assert_eq!(cells(&sums)[1], [&*id.to_string(), "-", "5"]);
    child.wait().expect("a child");
    assert!(soon(|| owners("nameless") == json!([])));
}

/// `rm --key` removes one entry, and leaves the store and its other entries.
#[test]
fn entries_are_removed() {
    let taken = Taken::new("remove", KeyKind::U64, 3);
    for key in 1..=3 {
        taken.add(key, 0, key);
    }
    assert!(!taken.try_add(4, 0, 4), "there is no fourth entry");
    let shown = prints("show remove");
    assert!(shown.contains("used   3 of 3 entries"), "{shown}");
    assert!(shown.contains("full   1 ("), "{shown}");
    assert_eq!(json("show remove")["full"], 1);

    assert_eq!(prints("rm remove --key 2"), "");
    assert_eq!(owners("remove"), json!([{"key": 1}, {"key": 3}]));
    let removed = json("rm remove --key 3");
    let expected = json!({
        "id": taken.store.id(), "name": "remove", "removed": true, "owner": {"key": 3},
    });
    assert_eq!(removed, expected);
    assert_eq!(json("sum remove --offset 0"), json!([{"key": 1, "sum": 1}]));
    // The entries are free again, and their bytes are zero.
    assert!(soon(|| json("show remove")["waiting"] == 0));
    taken.add(2, 8, 9);
    assert_eq!(prints("sum remove --key 2 --offset 0"), "0\n");
    assert_eq!(prints("rm remove"), "");
    assert_eq!(json(&format!("show --id {}", taken.store.id()))["used"], 2);
}

/// `watch` of one entry ends when the entry is gone.
#[test]
fn watch_an_entry() {
    let taken = Taken::new("watch", KeyKind::U64, 4);
    taken.add(5, 8, 40);
    let text = prints("watch watch --key 5 --iterations 1");
    let id = taken.store.id();
    let title = format!("watch (id {id}), key 5: 16 bytes on each of the CPUs ");
    assert!(text.starts_with(&title), "{text}");
    assert_eq!(cells(&text)[2][..2], ["8", "40"], "{text}");

    let mut child = command("watch watch --key 5 --json --interval 0.1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("percpuctl");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut frame = || -> Value {
        let line = lines.next().expect("a frame").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    };
    let first = frame();
    assert_eq!(first["owner"], json!({"key": 5}));
    assert_eq!((&first["size"], &first["refs"]), (&json!(16), &json!(1)));
    assert_eq!(first["rows"][0]["total"], 40);
    taken.add(5, 8, 2);
    assert!(soon(|| frame()["rows"][0]["total"] == 42));
    prints("rm watch --key 5");
    let line = failed(ends(child));
    assert!(
        line.contains("key 5 has no entry in store 'watch'"),
        "{line}"
    );
}
