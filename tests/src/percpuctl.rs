// SPDX-License-Identifier: GPL-2.0

//! Running percpuctl.

use std::process::Child;
use std::process::Command;
use std::process::Output;

use crate::cpus::soon;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use serde_json::Value;

/// percpuctl with the arguments of a line.
pub fn command(line: &str) -> Command {
    let mut command = Command::new("percpuctl");
    command.args(line.split_whitespace());
    command
}

/// The status and what was printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// The status, unless a signal ended it.
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

/// Runs percpuctl to its end.
pub fn run(mut command: Command) -> Ran {
    let output = command.output().expect("percpuctl is on PATH");
    output.into()
}

/// What percpuctl ended with, which was started and shall end by now.
pub fn ends(mut child: Child) -> Ran {
    if !soon(|| child.try_wait().expect("a child").is_some()) {
        child.kill().expect("a child");
        panic!("{:?} does not end", child.wait_with_output());
    }
    child.wait_with_output().expect("a child").into()
}

/// What percpuctl prints when it succeeds.
pub fn prints(line: &str) -> String {
    let ran = run(command(line));
    assert_eq!(ran.status, Some(0), "{line}: {ran:?}");
    assert_eq!(ran.stderr, "", "{line}");
    ran.stdout
}

/// The JSON that percpuctl prints when it succeeds.
pub fn json(line: &str) -> Value {
    let text = prints(&format!("{line} --json"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{line}: {e}: {text}"))
}

/// The line that percpuctl prints when it fails.
pub fn fails(line: &str) -> String {
    failed(run(command(line)))
}

/// The line that percpuctl printed when it failed.
pub fn failed(ran: Ran) -> String {
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(ran.stdout, "", "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    let line = ran.stderr.trim_end().strip_prefix("percpuctl: ");
    line.unwrap_or_else(|| panic!("no 'percpuctl: ': {ran:?}"))
        .to_string()
}

/// percpuctl fails, and each of the words is in its line.
pub fn says(line: &str, words: &[&str]) {
    let text = fails(line);
    for word in words {
        assert!(text.contains(word), "{line}: no '{word}' in: {text}");
    }
}

/// A store that is there until this is dropped, and has a name of its own.
pub fn store(name: &str, size: u32) -> Store {
    let created = Options::new(name, size).create();
    created.unwrap_or_else(|e| panic!("{name}: {e}"))
}
