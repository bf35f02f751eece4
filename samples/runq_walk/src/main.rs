// SPDX-License-Identifier: GPL-2.0

//! Shows the run queue and the current task of each online CPU, taken in one run of a BPF program.
//!
//! The exit status is 0, 1 on an error, 2 for bad usage.

mod bpf;
mod queue;
mod report;
mod task;

use anyhow::Result;
use bpf::Walker;
use clap::Parser;
use percpu_live::{
    program,
    value::{parse_seconds, Word},
    watch::{self, Rates},
};
use report::Report;
use std::{
    mem::MaybeUninit,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Shows the run queue and the current task of each online CPU, taken in one run of a BPF program.
///
/// Needs root and the bpf_percpu module. It shows one table unless --interval, --duration or
/// --iterations is given; Ctrl-C ends it. The CPUs keep running while they are read, one after the
/// other, and without their queues' locks. The first line says how long that took. The exit status
/// is 1 on an error.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON; with --interval, one object per line
    #[arg(long)]
    json: bool,
    /// Repeat every S seconds; 1 if only --duration or --iterations is given
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    interval: Option<Duration>,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// End after N walks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// Show only CPUs that are not idle
    #[arg(long)]
    busy: bool,
}

fn main() -> ExitCode {
    program::run("runq_walk", || run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let until = cli.duration.map(|duration| Instant::now() + duration);
    let mut object = MaybeUninit::uninit();
    let walker = Walker::load(&mut object)?;
    if cli.interval.is_none() && until.is_none() && cli.iterations.is_none() {
        program::print(&Report::new(walker.walk()?, cli.busy), cli.json)?;
        return Ok(ExitCode::SUCCESS);
    }

    let options = watch::Options {
        interval: cli.interval.unwrap_or(Duration::from_secs(1)),
        iterations: cli.iterations,
        until,
        json: cli.json,
    };
    let mut rates = Rates::new(Word::U64);
    watch::run(options, || {
        let mut walk = walker.walk()?;
        walk.set_rates(&mut rates, Instant::now());
        Ok(Report::new(walk, cli.busy))
    })?;
    Ok(ExitCode::SUCCESS)
}
