// SPDX-License-Identifier: GPL-2.0

//! The kernel's own support of `SEC(".percpu")` variables, which it has from 7.3 on: such a program
//! loads and counts, without this module. Loaded by bpftool, whose libbpf is as new as the kernel.

use std::fs;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use tests::cpus::sysfs;
use tests::kernel;
use tests::object;

const OBJECT: &str = "/tmp/native.o";
const PROGRAM: &str = "/sys/fs/bpf/native";
const PACKET: &str = "/tmp/packet";
const RUNS: u64 = 1000;

fn bpftool(args: &[&str]) -> Output {
    let mut command = Command::new("bpftool");
    command.arg("--json").args(args);
    command.output().expect("bpftool is in the guest")
}

fn text(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The sum of the variable over all CPUs, from its map.
fn sum() -> u64 {
    let maps = bpftool(&["map", "show"]);
    let maps: Vec<Value> = serde_json::from_slice(&maps.stdout).expect("JSON");
    let is_section = |map: &&Value| {
        map["name"]
            .as_str()
            .is_some_and(|name| name.ends_with(".percpu"))
    };
    let id = maps.iter().find(is_section).expect("the section is a map")["id"].to_string();
    let dump = bpftool(&["map", "dump", "id", &id]);
    let dump: Vec<Value> = serde_json::from_slice(&dump.stdout).expect("JSON");
    let values = dump[0]["values"].as_array().expect("a value for each CPU");
    assert_eq!(values.len(), sysfs("possible").len());
    let number = |value: &Value| {
        let bytes = value["value"].as_array().expect("bytes").iter();
        let byte = |value: &Value| {
            let hex = value.as_str().expect("a hexadecimal number");
            u8::from_str_radix(hex.trim_start_matches("0x"), 16).expect("a byte")
        };
        let bytes: Vec<u8> = bytes.map(byte).collect();
        u64::from_ne_bytes(bytes.try_into().expect("8 bytes"))
    };
    values.iter().map(number).sum()
}

#[test]
fn native_variables() {
    fs::write(OBJECT, object!("lower_native-percpu")).expect("room in /tmp");
    fs::write(PACKET, [0; 64]).expect("room in /tmp");
    let load = bpftool(&["prog", "load", OBJECT, PROGRAM]);
    assert_eq!(
        load.status.success(),
        kernel::is_since(7, 3),
        "kernels have it from 7.3 on, this one says: {}",
        text(&load)
    );
    if !load.status.success() {
        return;
    }
    let repeat = RUNS.to_string();
    let run = bpftool(&[
        "prog", "run", "pinned", PROGRAM, "data_in", PACKET, "repeat", &repeat,
    ]);
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(sum(), RUNS);
    fs::remove_file(PROGRAM).expect("unpinned");
}
