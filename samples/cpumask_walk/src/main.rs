// SPDX-License-Identifier: GPL-2.0

//! Shows the kernel's CPU masks as a BPF program sees them, and compares them with what the kernel
//! reports.
//!
//! The exit status is 0 if they agree, 1 on a difference or an error, 2 for bad usage.

mod bpf;
mod kernel;
mod report;

use anyhow::{Error, Result};
use clap::Parser;
use kernel::Source;
use percpu_live::program;
use report::{Mask, Report};
use std::process::ExitCode;

/// Shows the kernel's CPU masks as a BPF program sees them, and compares them with what the kernel
/// reports.
///
/// Needs root and the bpf_percpu module. The exit status is 0 if all masks agree, 1 on a difference
/// or an error.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    program::run("cpumask_walk", || {
        let cli = Cli::parse();
        let report = compare()?;
        program::print(&report, cli.json)?;
        Ok(ExitCode::from(report.exit_status()))
    })
}

/// Walks the masks in BPF, and reads them from the kernel's files.
fn compare() -> Result<Report> {
    let seen = bpf::walk()?;
    let mask =
        |name, bpf, source: Source| Ok::<_, Error>(Mask::new(name, bpf, source.read()?, &source));
    let masks = vec![
        mask("possible", seen.possible, Source::cpus("possible"))?,
        mask("present", seen.present, Source::cpus("present"))?,
        mask("online", seen.online, Source::cpus("online"))?,
        // The kernel does not export it. It differs from online only during hotplug.
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
