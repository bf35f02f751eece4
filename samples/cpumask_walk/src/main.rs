// SPDX-License-Identifier: GPL-2.0

//! Shows the kernel's CPU masks as a BPF program sees them, beside what the kernel says of them.
//!
//! The exit status is 0 when they agree, 1 on a difference or an error, 2 for bad usage.

mod bpf;
mod cpu_list;
mod kernel;
mod report;

use anyhow::{Context, Error, Result};
use clap::Parser;
use kernel::Source;
use report::{Mask, Report};
use std::{
    io::{stdout, Write},
    process::ExitCode,
};

/// Shows the kernel's CPU masks as a BPF program sees them, beside what the kernel says of them.
///
/// Needs root and the bpf_percpu module. The exit status is 0 when all masks agree, 1 on a
/// difference or an error.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let report = compare()?;
    let text = if cli.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        report.to_string()
    };
    stdout()
        .write_all(text.as_bytes())
        .context("the result cannot be written to standard output")?;
    Ok(ExitCode::from(report.exit_status()))
}

/// Walks the masks in BPF, and reads what the kernel says of them.
fn compare() -> Result<Report> {
    let seen = bpf::walk()?;
    let mask =
        |name, bpf, source: Source| Ok::<_, Error>(Mask::new(name, bpf, source.read()?, &source));
    let masks = vec![
        mask("possible", seen.possible, Source::cpus("possible"))?,
        mask("present", seen.present, Source::cpus("present"))?,
        mask("online", seen.online, Source::cpus("online"))?,
        // The kernel shows it nowhere. It differs from online only while a CPU comes or goes.
        mask("active", seen.active, Source::cpus("online"))?,
        mask("task", seen.task, Source::allowed())?,
    ];
    let last = Source::cpus("possible").read()?.last();
    Ok(Report::new(
        seen.nr_cpu_ids,
        last.map_or(0, |cpu| cpu + 1),
        masks,
    ))
}
