// SPDX-License-Identifier: GPL-2.0

//! Shows what counters lose when programs interrupt each other, and that stores lose nothing.
//!
//! The exit status is 0, 1 on an error or if the store lost something, 2 for bad usage.

mod bpf;
mod counters;
mod cpus;
mod load;
mod perf;
mod summary;

use anyhow::{Context, Result};
use bpf::Programs;
use clap::Parser;
use counters::{Counted, Looks};
use load::Load;
use percpu_live::{
    program,
    value::parse_seconds,
    watch::{self, Signals, ENDING},
};
use perf::{by_event, Events, Source};
use std::{
    mem::MaybeUninit,
    process::ExitCode,
    time::{Duration, Instant},
};
use summary::{Run, Summary};

/// Shows what counters in a PERCPU_ARRAY lose on this machine, compared with those of a store.
///
/// BPF programs that interrupt each other add to the same counters. Threads of each CPU run one,
/// and samples of the CPU (NMIs, if it can count cycles) and NMI handlers run others. The number of
/// adds is known exactly. Use taskset(1) to limit it to some CPUs. Needs root and the bpf_percpu
/// module. Ctrl-C ends it early. The exit status is 1 on an error, or if the store lost something.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    /// Count for S seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = parse_seconds)]
    duration: Duration,
    /// Run N threads on each CPU; a single one is not preempted
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// What interrupts the threads
    #[arg(long, value_enum, default_value = "auto")]
    source: Source,
    /// Samples of each CPU per second; the default is 2000, or less if the kernel requires it
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u64).range(1..))]
    frequency: Option<u64>,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// Show only the final table
    #[arg(long)]
    summary: bool,
}

fn main() -> ExitCode {
    program::run("nmi_count", || run(&Cli::parse()))
}

/// Counts, and shows the counts. The exit status is 1 if the store lost something.
fn run(cli: &Cli) -> Result<ExitCode> {
    // Before the threads start, so that they do not get the signals.
    let signals = Signals::new(&ENDING)?;
    let mut object = MaybeUninit::uninit();
    let mut programs = Programs::load(&mut object)?;
    let cpus = cpus::allowed().context("it is not known which CPUs may be used")?;
    let events = Events::open(cli.source, &cpus, cli.frequency)?;
    let frequency = events.frequency;
    let sees_nmis = cli.source != Source::None && programs.attach_nmis()?;
    let events = by_event(&programs.attach_samples(events)?);

    let start = Instant::now();
    let load = Load::start(programs.task()?, &cpus, cli.threads)?;
    let mut run = Run {
        seconds: 0.0,
        threads: load.threads(),
        cpus,
        frequency,
        events,
        sees_nmis,
    };
    let until = Some(start + cli.duration);
    if cli.summary {
        signals.wait(until)?;
    } else {
        let options = watch::Options {
            interval: cli.interval,
            iterations: None,
            until,
            json: cli.json,
        };
        let mut looks = Looks::new("adds, and what the PERCPU_ARRAY lacks of them now, at least");
        watch::run(options, || looks.look(&programs))?;
    }

    let made = load.stop()?;
    programs.detach();
    run.seconds = start.elapsed().as_secs_f64();
    let counted = Counted::read(&programs)?;
    let summary = Summary::new(run, made, programs.interruptions(), &counted);
    program::write(&match cli.json {
        true => serde_json::to_string(&summary)? + "\n",
        false if cli.summary => summary.to_string(),
        // A blank line after earlier tables.
        false => format!("\n{summary}"),
    })?;
    if let Some(doubt) = summary.doubt() {
        eprintln!("nmi_count: {doubt}");
    }
    Ok(ExitCode::from(u8::from(!summary.is_exact())))
}
