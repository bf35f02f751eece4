// SPDX-License-Identifier: GPL-2.0

//! `percpuctl lower` and `percpuctl load`.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;

use bpf_percpu::store::Store;
use serde_json::json;
use serde_json::Value;
use tests::cpus::soon;
use tests::kernel;
use tests::module;
use tests::object;
use tests::stores::lives;

use crate::load::cpus;
use crate::load::run;
use crate::load::without_stores;
use crate::load::COUNT;
use tests::percpuctl::command;
use tests::percpuctl::ends;
use tests::percpuctl::fails;
use tests::percpuctl::json;
use tests::percpuctl::prints;

const OBJECT: &str = "/tmp/count.bpf.o";
const DIR: &str = "/sys/fs/bpf/count";

fn write() {
    fs::write(OBJECT, COUNT).expect("room in /tmp");
}

/// The JSON entry with this name.
fn named<'a>(report: &'a Value, list: &str, name: &str) -> &'a Value {
    let list = report[list].as_array().expect("an array");
    let mut found = list.iter().filter(|entry| entry["name"] == name);
    found.next().unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Removes the pins, even if the test fails.
struct Unpin;

impl Drop for Unpin {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(DIR);
    }
}

#[test]
fn lower() {
    write();
    let out = "/tmp/lowered.o";
    assert_eq!(prints(&format!("lower {OBJECT} {out}")), "");
    let bytes = fs::read(out).expect("it is written");
    assert_eq!(
        bytes,
        bpf_percpu_lower::lower::lower(COUNT).expect("an object")
    );
    let result = json(&format!("lower {OBJECT} {out} --native"));
    let bytes = fs::read(out).expect("it is written");
    assert_eq!(
        bytes,
        bpf_percpu_lower::lower::native(COUNT).expect("an object")
    );
    assert_eq!(
        result,
        json!({"input": OBJECT, "output": out, "form": "native", "bytes": bytes.len()})
    );

    // The existing file stays.
    fs::write("/tmp/text", "no object").expect("room in /tmp");
    for line in [
        format!("lower /tmp/text {out}"),
        format!("lower /nothing {out}"),
        format!("lower /tmp {out}"),
        format!("lower {OBJECT} /nothing/{out}"),
        format!("lower {OBJECT} /tmp"),
    ] {
        let error = fails(&line);
        let file = line.split(' ').find(|word| error.contains(word));
        assert!(file.is_some(), "{line}: {error}");
    }
    assert_eq!(fs::read(out).expect("it is there"), bytes);
    let others = fs::read_dir("/tmp").expect("a folder").filter(|file| {
        let name = file.as_ref().expect("a file").file_name();
        name.to_string_lossy().starts_with('.')
    });
    assert_eq!(others.count(), 0, "nothing else is left");
}

#[test]
fn load_for_people() {
    write();
    without_stores();
    let child = command(&format!("load {OBJECT} --form lowered"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("percpuctl");
    let stdout = child.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert_eq!(line(), "count is loaded, lowered: it was asked for");
    assert_eq!(line(), "");
    assert!(line().starts_with("section "));
    let mut rows = [(); 3].map(|()| line());
    rows.sort();
    let id = Store::open("count.percpu").expect("it is loaded").id();
    let row: Vec<_> = rows[0].split_whitespace().collect();
    assert_eq!(row, [".percpu", "8", "count.percpu", &id.to_string()]);
    assert_eq!(line(), "");
    assert!(line().starts_with("program "));
    let mut rows = [(); 3].map(|()| line());
    rows.sort();
    assert!(rows[1].starts_with("count_up ") && rows[1].contains(" syscall "));

    // When percpuctl ends, the programs go, and with them the stores.
    prints(&format!("set --id {id} --offset 0 --value 3 --cpu 1"));
    assert_eq!(prints(&format!("sum --id {id} --offset 0")), "3\n");
    assert!(prints("dump count.percpu.wide --cpu 0").contains(" 100\n"));
    drop(child.stdin.take());
    assert_eq!(ends(child).status, Some(0));
    assert!(soon(|| !lives(id)));
}

#[test]
fn load_until_a_signal() {
    write();
    without_stores();
    let child = command(&format!(
        "load {OBJECT} --share .percpu=loaded --attach --json"
    ))
    .stdin(Stdio::piped())
    .stdout(Stdio::null())
    .spawn();
    let child = child.expect("percpuctl");
    let wide = || Store::open("count.percpu.wide").and_then(|store| store.sum_u64(0));
    let initial = 100 * cpus().len() as u64;
    assert!(soon(|| wide().is_ok_and(|count| count > initial)));
    assert!(Store::open("loaded").is_ok());
    // SAFETY: The child has not been waited for, so the pid is still its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert_eq!(ends(child).status, Some(0));
    without_stores();
}

/// Pinned programs stay when percpuctl ends, whether they are attached or not.
#[test]
fn pinned() {
    write();
    without_stores();
    let _unpin = Unpin;
    let report = json(&format!(
        "load {OBJECT} --form lowered --pin {DIR} --attach"
    ));
    assert_eq!(report["object"], "count");
    assert_eq!(report["form"], "lowered");
    let section = named(&report, "sections", ".percpu.wide");
    assert_eq!(section["bytes"], 16);
    assert_eq!(section["store"], "count.percpu.wide");
    let on_enter = named(&report, "programs", "on_enter");
    assert_eq!(on_enter["type"], "raw_tracepoint");
    assert_eq!(on_enter["attached"], true);
    assert_eq!(on_enter["pinned"], format!("{DIR}/on_enter"));
    assert_eq!(on_enter["link"], format!("{DIR}/on_enter_link"));
    let count_up = named(&report, "programs", "count_up");
    assert_eq!(count_up["attached"], false);
    assert_eq!(count_up["link"], Value::Null);
    assert_eq!(report["programs"].as_array().expect("an array").len(), 3);

    let id = section["id"].as_u64().expect("an id") as u32;
    let count = || {
        let store = Store::open_id(id).expect("the programs keep it");
        store.sum_u64(0).expect("a counter")
    };
    let before = count();
    assert!(soon(|| count() > before), "it is attached");
    let error = fails(&format!("load {OBJECT} --form lowered --pin {DIR}"));
    assert!(error.contains("there already"), "{error}");
    assert!(Path::new(DIR).join("on_enter_link").exists());
    assert!(module::remove().is_err());

    for file in ["on_enter_link", "on_enter"] {
        fs::remove_file(Path::new(DIR).join(file)).expect("it is pinned");
    }
    let other = named(&report, "sections", ".percpu")["id"].as_u64();
    assert!(lives(other.expect("an id") as u32), "count_up is there");
    fs::remove_dir_all(DIR).expect("a folder");
    without_stores();
}

/// The form depends on the kernel.
#[test]
fn load_what_fits() {
    fs::write("/tmp/upstream.o", object!("lower_load-upstream")).expect("room in /tmp");
    let _unpin = Unpin;
    let report = json(&format!("load /tmp/upstream.o --pin {DIR}"));
    let native = kernel::is_since(7, 3);
    let form = if native { "native" } else { "lowered" };
    assert_eq!(report["form"], form, "{report}");
    assert_eq!(json("probe")["load"]["form"], form);
    assert!(prints("probe").contains(&format!(" {form}: ")));
    let section = named(&report, "sections", ".percpu");
    assert_eq!(section["id"].is_null(), native, "{report}");
    assert_eq!(section["store"].is_null(), native, "{report}");
}

#[test]
fn declared_stores_are_pinned_with_the_programs() {
    fs::write("/tmp/declared.o", object!("lower_load-declared")).expect("room in /tmp");
    let _unpin = Unpin;
    let report = json(&format!("load /tmp/declared.o --pin {DIR}"));
    let declared = named(&report, "stores", "declared");
    assert_eq!(declared["bytes"], 8);
    assert_eq!(json("show declared")["pinned"], true);
    prints("rm declared");
}

/// An error leaves nothing behind.
#[test]
fn errors() {
    write();
    fs::create_dir(DIR).expect("a BPF file system");
    let _unpin = Unpin;
    for (line, words) in [
        ("load /nothing", &["/nothing", "No such file"][..]),
        (
            "load /tmp/count.bpf.o --pin /tmp/x",
            &["/tmp/x", "/sys/fs/bpf"],
        ),
        ("load /tmp/count.bpf.o --pin /nothing/x", &["/nothing/x"]),
        (
            "load /tmp/count.bpf.o --share .percpu.x=y",
            &["no section .percpu.x", ".percpu.wide"],
        ),
        ("load /tmp/count.bpf.o --share .percpu=a/b", &["'a/b'"]),
    ] {
        let error = fails(line);
        for word in words {
            assert!(error.contains(word), "{line}: {error}");
        }
    }
    // One of the pins exists already: the new ones are removed again.
    let loaded = crate::load::load(&Default::default(), "other", COUNT);
    run(loaded.object(), "count_up");
    let mut programs = loaded.object().progs_mut();
    let array = programs.find(|program| program.name() == "count_array");
    let file = Path::new(DIR).join("count_array");
    array.expect("a program").pin(&file).expect("pinned");
    drop(programs);
    drop(loaded);
    let error = fails(&format!(
        "load {OBJECT} --form lowered --pin {DIR} --attach"
    ));
    assert!(error.contains("count_array"), "{error}");
    assert_eq!(fs::read_dir(DIR).expect("a folder").count(), 1);
    fs::remove_file(file).expect("pinned");
    without_stores();

    for line in [
        "load",
        "lower /tmp/count.bpf.o",
        "load /tmp/count.bpf.o --share .percpu",
        "load /tmp/count.bpf.o --share .percpu=x --form native",
        "load /tmp/count.bpf.o --form other",
    ] {
        let ran = tests::percpuctl::run(command(line));
        assert_eq!(ran.status, Some(2), "{line}: {ran:?}");
    }
}

#[test]
fn without_the_module() {
    write();
    module::remove_soon();
    let error = fails(&format!("load {OBJECT} --form lowered"));
    module::insert(module::FILE).expect("insmod");
    assert!(error.contains("modprobe bpf_percpu"), "{error}");
}
