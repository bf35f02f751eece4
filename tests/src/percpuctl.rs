// SPDX-License-Identifier: GPL-2.0

//! Running percpuctl.

use std::process::Child;
use std::process::Command;
use std::process::Output;

use crate::cpus::soon;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use serde_json::Value;

/// percpuctl with the arguments of `line`, which are separated by spaces.
pub fn command(line: &str) -> Command {
    let mut command = Command::new("percpuctl");
    command.args(line.split_whitespace());
    command
}

/// How a run of percpuctl ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Runs percpuctl and waits for its end.
pub fn run(mut command: Command) -> Ran {
    let output = command.output().expect("percpuctl is on PATH");
    output.into()
}

/// Waits for a running percpuctl that must end soon.
pub fn ends(mut child: Child) -> Ran {
    if !soon(|| child.try_wait().expect("a child").is_some()) {
        child.kill().expect("a child");
        panic!("{:?} does not end", child.wait_with_output());
    }
    child.wait_with_output().expect("a child").into()
}

/// Runs percpuctl, which must succeed, and returns its standard output.
pub fn prints(line: &str) -> String {
    let ran = run(command(line));
    assert_eq!(ran.status, Some(0), "{line}: {ran:?}");
    assert_eq!(ran.stderr, "", "{line}");
    ran.stdout
}

/// Runs percpuctl with `--json`, which must succeed, and returns the JSON.
pub fn json(line: &str) -> Value {
    let text = prints(&format!("{line} --json"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{line}: {e}: {text}"))
}

/// Runs percpuctl, which must fail, and returns its message.
pub fn fails(line: &str) -> String {
    failed(run(command(line)))
}

/// The message of a run that failed: one line, without the name of the program.
pub fn failed(ran: Ran) -> String {
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(ran.stdout, "", "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    let line = ran.stderr.trim_end().strip_prefix("percpuctl: ");
    line.unwrap_or_else(|| panic!("no 'percpuctl: ': {ran:?}"))
        .to_string()
}

/// Runs percpuctl, which must fail with a message that has each of `words`.
pub fn says(line: &str, words: &[&str]) {
    let text = fails(line);
    for word in words {
        assert!(text.contains(word), "{line}: no '{word}' in: {text}");
    }
}

/// Creates a store that exists until it is dropped.
pub fn store(name: &str, size: u32) -> Store {
    let created = Options::new(name, size).create();
    created.unwrap_or_else(|e| panic!("{name}: {e}"))
}
