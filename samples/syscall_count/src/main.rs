// SPDX-License-Identifier: GPL-2.0

//! Counts system calls exactly, per CPU and number.
//!
//! The exit status is 0, 1 on an error or if calls of the load were lost, 2 for bad usage.

mod bpf;
mod counts;
mod load;
mod names;

use anyhow::{ensure, Result};
use bpf::Counting;
use clap::Parser;
use counts::{Counts, Reader};
use load::{Check, Load};
use percpu_live::{
    program,
    value::parse_seconds,
    watch::{self, Show, Signals, ENDING},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    mem::MaybeUninit,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Counts the system calls of all processes, per CPU and number, and shows them live.
///
/// Needs root and the bpf_percpu module. Ctrl-C ends it; the last table covers the whole time. The
/// exit status is 1 on an error, or if calls of the load were not counted.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// Show at most N system calls
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,
    /// Show only the final table
    #[arg(long)]
    summary: bool,
    /// Make system calls, and check that each was counted
    #[arg(long)]
    load: bool,
}

/// The final counts, and the check of the load.
#[derive(Serialize)]
struct Summary {
    seconds: f64,
    #[serde(flatten)]
    counts: Counts,
    lost: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    load: BTreeMap<String, Check>,
}

fn main() -> ExitCode {
    program::run("syscall_count", || run(&Cli::parse()))
}

/// Counts, and shows the counts. The exit status is 1 if calls were lost.
fn run(cli: &Cli) -> Result<ExitCode> {
    // Before the load's threads start, so that they do not get the signals.
    let signals = Signals::new(&ENDING)?;
    let mut object = MaybeUninit::uninit();
    let mut counting = Counting::start(&mut object)?;
    let start = Instant::now();
    let load = cli.load.then(Load::start).transpose()?;

    let until = cli.duration.map(|duration| start + duration);
    let mut reader = Reader::new(cli.top);
    if cli.summary {
        signals.wait(until)?;
    } else {
        let options = watch::Options {
            interval: cli.interval,
            iterations: None,
            until,
            json: cli.json,
        };
        watch::run(options, || reader.read(counting.store()))?;
    }

    let stopped = load.map(Load::stop);
    counting.stop();
    let time = start.elapsed();
    let counts = reader.read_all(counting.store(), time)?;
    let checks = stopped.map_or(Vec::new(), |stopped| stopped.check(|n| counts.of(n)));
    let summary = Summary {
        seconds: time.as_secs_f64(),
        lost: counting.lost(),
        load: checks
            .into_iter()
            .map(|check| (names::name(check.number).into_owned(), check))
            .collect(),
        counts,
    };
    ensure!(
        !summary.load.values().any(|check| check.made == 0),
        "the load made no calls: give it more time"
    );
    program::write(&match cli.json {
        true => serde_json::to_string(&summary)? + "\n",
        false => table(&summary, cli.summary),
    })?;
    let lost = summary.lost > 0 || summary.load.values().any(Check::is_wrong);
    Ok(ExitCode::from(u8::from(lost)))
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
    for (name, check) in &summary.load {
        let Check { made, counted, .. } = check;
        text += &format!("the load called {name}() {made} times, counted: {counted}, ");
        text += &match counted.checked_sub(*made) {
            Some(0) => "exact\n".to_string(),
            Some(more) => format!("{more} by others\n"),
            None => format!("{} LOST\n", made - counted),
        };
    }
    if summary.lost > 0 {
        text += &format!("{} calls could not be counted\n", summary.lost);
    }
    text
}
