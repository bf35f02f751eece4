// SPDX-License-Identifier: GPL-2.0

//! Running bpftool.

use std::process::Command;

use serde_json::Value;

/// Runs bpftool, which must succeed, and returns its standard output.
pub fn text(args: &[&str]) -> String {
    stdout(Command::new("bpftool").args(args))
}

/// Does the same in a namespace where the kernel has no symbols. bpftool reads all of them each time it
/// shows code, which takes seconds in an emulated guest.
pub fn text_without_symbols(args: &[&str]) -> String {
    const SCRIPT: &str = "mount -o bind /dev/null /proc/kallsyms && exec bpftool \"$@\"";
    let mut unshare = Command::new("unshare");
    stdout(unshare.args(["-m", "sh", "-c", SCRIPT, "sh"]).args(args))
}

fn stdout(command: &mut Command) -> String {
    let output = command.output().expect("bpftool is in the guest");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The loaded programs.
pub fn programs() -> Vec<Value> {
    let text = text(&["--json", "prog", "show"]);
    serde_json::from_str(&text).expect("an array of programs")
}

/// The type of the loaded program with this name.
pub fn type_of(name: &str) -> Option<String> {
    let programs = programs();
    let program = programs.iter().find(|program| program["name"] == name)?;
    Some(program["type"].as_str().expect("a type").to_string())
}
