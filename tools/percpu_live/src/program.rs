// SPDX-License-Identifier: GPL-2.0

//! Errors, exit status and output of `percpuctl` and the samples.

use std::fmt::Display;
use std::io::stdout;
use std::io::Write;
use std::process::ExitCode;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use serde::Serialize;

use bpf_percpu::store::Info;

/// Runs the program `name`. The exit status is what `run` returns, or 1 after an error. Errors go
/// to standard error.
pub fn run(name: &str, run: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    // If the reader closes the pipe, end like other tools do.
    // SAFETY: The default action is not a function of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    run().unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        ExitCode::FAILURE
    })
}

/// Checks that only `program` uses its store, described by `info`. A second user would make the
/// counts wrong.
///
/// # Errors
///
/// Fails if the store has another user.
pub fn only_user(program: &str, info: &Info) -> Result<()> {
    let name = &info.name;
    ensure!(
        info.refs == 1,
        "store '{name}' is in use: end the other {program}, or remove what it left: \
         percpuctl rm {name}"
    );
    Ok(())
}

/// Prints `report` as text or as JSON.
pub fn print(report: &(impl Display + Serialize), json: bool) -> Result<()> {
    let text = match json {
        true => format!("{}\n", serde_json::to_string_pretty(report)?),
        false => report.to_string(),
    };
    write(text)
}

/// Writes `text` to standard output.
pub fn write(text: impl AsRef<[u8]>) -> Result<()> {
    let mut stdout = stdout().lock();
    stdout
        .write_all(text.as_ref())
        .and_then(|()| stdout.flush())
        .context("the result cannot be written to standard output")
}
