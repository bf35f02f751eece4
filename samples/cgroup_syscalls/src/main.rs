// SPDX-License-Identifier: GPL-2.0

//! Counts system calls, exactly, per cgroup and CPU.
//!
//! The exit status is 0, 1 on an error or when calls could not be counted, 2 for bad usage.

mod bpf;
mod counts;

use anyhow::Result;
use bpf::Counting;
use clap::Parser;
use counts::{Choice, Counts, Reader};
use percpu_live::{
    cgroup::Tree,
    program,
    value::{parse_seconds, parse_u32},
    watch::{self, Show, Signals, ENDING},
};
use serde::Serialize;
use std::{
    mem::MaybeUninit,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Counts the system calls of each cgroup's own tasks, per CPU, and shows them live.
///
/// The counts of a cgroup are lost when it is freed. Needs root and the bpf_percpu module. Ctrl-C
/// ends it; the last table covers the whole time. The exit status is 1 on an error, or if calls
/// could not be counted.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    /// Show this cgroup and its descendants; a path below the cgroup mount
    #[arg(long, value_name = "PATH", default_value = "/")]
    cgroup: PathBuf,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// End after N tables and the final one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// Show at most N cgroups
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,
    /// Show cgroups without their CPUs
    #[arg(long)]
    total: bool,
    /// Show only the final table
    #[arg(long, conflicts_with = "iterations")]
    summary: bool,
    /// Make room for N cgroups, including those that are not shown
    #[arg(long, value_name = "N", default_value = "1024", value_parser = parse_u32)]
    entries: u32,
}

/// The final counts.
#[derive(Serialize)]
struct Summary {
    seconds: f64,
    #[serde(flatten)]
    counts: Counts,
}

fn main() -> ExitCode {
    program::run("cgroup_syscalls", || run(&Cli::parse()))
}

/// Counts, and shows the counts. The exit status is 1 if calls could not be counted.
fn run(cli: &Cli) -> Result<ExitCode> {
    let signals = Signals::new(&ENDING)?;
    let choice = Choice {
        top: cli.top,
        cpus: !cli.total,
    };
    let mut reader = Reader::new(Tree::new(&cli.cgroup)?, choice);
    let mut object = MaybeUninit::uninit();
    let mut counting = Counting::start(&mut object, cli.entries)?;
    let start = Instant::now();

    let until = cli.duration.map(|duration| start + duration);
    if cli.summary {
        signals.wait(until)?;
    } else {
        let options = watch::Options {
            interval: cli.interval,
            iterations: cli.iterations,
            until,
            json: cli.json,
        };
        watch::run(options, || reader.read(&counting))?;
    }

    counting.stop();
    let time = start.elapsed();
    let summary = Summary {
        seconds: time.as_secs_f64(),
        counts: reader.read_all(&counting, time)?,
    };
    program::write(&match cli.json {
        true => serde_json::to_string(&summary)? + "\n",
        false => table(&summary, cli.summary),
    })?;
    Ok(ExitCode::from(u8::from(summary.counts.lost > 0)))
}

fn table(summary: &Summary, first: bool) -> String {
    let mut text = String::new();
    // A blank line after earlier tables.
    if !first {
        text += &format!("\nIn {:.1} seconds:\n", summary.seconds);
    }
    for line in summary.counts.lines(None, watch::bars()) {
        text += &line;
        text += "\n";
    }
    text
}
