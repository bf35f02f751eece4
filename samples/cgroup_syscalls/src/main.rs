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
/// A cgroup that is removed takes its counts with it. Needs root and the bpf_percpu module. Ctrl-C
/// ends it, and the last table is of the whole time. The exit status is 1 on an error, or when
/// calls could not be counted.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
    /// This cgroup and those below it, as its path below where cgroups are mounted
    #[arg(long, value_name = "PATH", default_value = "/")]
    cgroup: PathBuf,
    /// End after so many seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// End after so many tables, and the last
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// How many cgroups a table has
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,
    /// Cgroups, not their CPUs
    #[arg(long)]
    total: bool,
    /// Only the last table
    #[arg(long, conflicts_with = "iterations")]
    summary: bool,
    /// How many cgroups there is room for, those that are not shown included
    #[arg(long, value_name = "N", default_value = "1024", value_parser = parse_u32)]
    entries: u32,
}

/// What was counted in the end.
#[derive(Serialize)]
struct Summary {
    seconds: f64,
    #[serde(flatten)]
    counts: Counts,
}

fn main() -> ExitCode {
    program::run("cgroup_syscalls", || run(&Cli::parse()))
}

/// Counts and shows. The status is 1 when calls could not be counted.
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
    // After other tables.
    if !first {
        text += &format!("\nIn {:.1} seconds:\n", summary.seconds);
    }
    for line in summary.counts.lines(None, watch::bars()) {
        text += &line;
        text += "\n";
    }
    text
}
