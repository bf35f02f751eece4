// SPDX-License-Identifier: GPL-2.0

//! Counts the packets of a device by protocol and class, in programs that hand data to each other.
//!
//! The exit status is 0, 1 on an error or if data was lost on its way, 2 for bad usage.

mod bpf;
mod classes;
mod counts;
mod device;
mod policy;

use anyhow::Result;
use bpf::Pipeline;
use clap::{Parser, ValueEnum};
use classes::Classes;
use counts::Counts;
use device::Device;
use percpu_live::{
    program,
    value::{parse_seconds, Word},
    watch::{self, Event, Rates, Show, Signals, ENDING},
};
use serde::Serialize;
use std::{
    mem::MaybeUninit,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Counts the packets that a device receives, by protocol and by classes of ports, and shows them
/// live.
///
/// One BPF program parses each packet. A program that replaces one of its functions sets the class,
/// and tail-called programs count. All of them use data that the first program has put into a
/// per-CPU store. Packets are not changed. Needs root and the bpf_percpu module. Ctrl-C ends it.
/// The exit status is 1 on an error, or if data was lost on its way.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Count the packets that this device receives
    #[arg(long, value_name = "NAME", default_value = "lo")]
    dev: String,
    /// A class: packets from or to these ports; tcp: or udp: before them selects one protocol; the
    /// first match is used
    #[arg(long = "class", value_name = "NAME=PORTS", value_parser = classes::parse)]
    classes: Vec<String>,
    /// A file of classes, one per line; SIGUSR1 reads it again while packets pass
    #[arg(long = "classes", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// Show only the final table
    #[arg(long)]
    summary: bool,
    /// Where programs put the data: a store, or a PERCPU_ARRAY map for comparison
    #[arg(long, value_enum, default_value = "store")]
    via: Via,
}

/// How programs hand on data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Via {
    /// A store of bpf_percpu.ko.
    Store,
    /// A map, which each program looks up.
    Map,
}

/// The final counts.
#[derive(Serialize)]
struct Summary {
    seconds: f64,
    #[serde(flatten)]
    counts: Counts,
    /// Whether the classes were the same the whole time.
    same_classes: bool,
    /// Whether everything that was handed on was seen.
    agree: bool,
}

fn main() -> ExitCode {
    program::run("shared_tail", || run(&Cli::parse()))
}

/// Counts, and shows the counts. The exit status is 1 if data was lost.
fn run(cli: &Cli) -> Result<ExitCode> {
    let again = Signals::new(&[libc::SIGUSR1])?;
    let mut classes = Classes::new(&cli.classes, cli.file.as_deref())?;
    let device = Device::new(&cli.dev)?;
    let mut object = MaybeUninit::uninit();
    let mut pipeline = Pipeline::load(&mut object, &device, cli.via)?;
    pipeline.set_policy(&classes)?;
    pipeline.attach(&device)?;
    let mut same_classes = true;
    if !device.is_up() {
        eprintln!(
            "shared_tail: {0} is down, no packets come: ip link set {0} up",
            device.name
        );
    }

    let start = Instant::now();
    let until = cli.duration.map(|duration| start + duration);
    let mut rates = Rates::new(Word::U64);
    if cli.summary {
        eprintln!("shared_tail: counting on {}", device.name);
        let signals = Signals::new(&[&ENDING[..], &[libc::SIGUSR1]].concat())?;
        while let Event::Signal(libc::SIGUSR1) = signals.wait(until)? {
            same_classes = false;
            read_again(cli, &mut classes, &mut pipeline);
        }
    } else {
        let options = watch::Options {
            interval: cli.interval,
            iterations: None,
            until,
            json: cli.json,
        };
        watch::run(options, || {
            while again.wait(Some(Instant::now()))? != Event::Timeout {
                same_classes = false;
                read_again(cli, &mut classes, &mut pipeline);
            }
            let mut counts = look(&pipeline, &classes, &device, cli.via)?;
            counts.rate(Instant::now(), &mut rates);
            Ok(counts)
        })?;
    }

    pipeline.detach();
    let time = start.elapsed();
    let mut counts = look(&pipeline, &classes, &device, cli.via)?;
    counts.rate_over(time);
    let summary = Summary {
        seconds: time.as_secs_f64(),
        same_classes,
        agree: counts.agree(same_classes && !classes.rules.is_empty()),
        counts,
    };
    program::write(&match cli.json {
        true => serde_json::to_string(&summary)? + "\n",
        false => table(&summary, cli.summary),
    })?;
    Ok(ExitCode::from(u8::from(!summary.agree)))
}

fn look(pipeline: &Pipeline<'_>, classes: &Classes, device: &Device, via: Via) -> Result<Counts> {
    let mut counts = Counts::new(&pipeline.read()?, classes)?;
    counts.device.clone_from(&device.name);
    counts.up = device.is_up();
    counts.via = match via {
        Via::Store => "store",
        Via::Map => "map",
    };
    Ok(counts)
}

/// Reads the classes from the file again. If the file is wrong, the old ones stay.
fn read_again(cli: &Cli, classes: &mut Classes, pipeline: &mut Pipeline<'_>) {
    let new = classes.again(&cli.classes, cli.file.as_deref());
    let set = new.and_then(|new| {
        pipeline.set_policy(&new)?;
        *classes = new;
        Ok(())
    });
    match set {
        Ok(()) => eprintln!("shared_tail: {} classes", classes.names.len()),
        Err(error) if pipeline.has_policy() || classes.rules.is_empty() => {
            eprintln!("shared_tail: the classes stay as they are: {error:#}")
        }
        Err(error) => {
            eprintln!("shared_tail: no class is in force now, send SIGUSR1 again: {error:#}")
        }
    }
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
    text += match summary.agree {
        true => "the handlers have seen all that was handed on\n",
        false => "the handlers have NOT seen what was handed on\n",
    };
    text
}
