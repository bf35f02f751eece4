// SPDX-License-Identifier: GPL-2.0

//! Records the last function calls of each CPU, and shows them on a trigger.
//!
//! The exit status is 0, 1 on an error, 2 for bad usage.

mod bpf;
mod functions;
mod links;
mod ring;
mod show;

use anyhow::{Context, Result};
use bpf::{Arrived, Recorder, Setup, Trigger};
use bpf_percpu::cpus;
use clap::Parser;
use libbpf_rs::{ErrorKind, RingBuffer};
use percpu_live::{
    program,
    value::parse_seconds,
    watch::{Event, Signals, ENDING},
};
use serde::Serialize;
use show::{Dump, Names, Reason};
use std::{
    mem::MaybeUninit,
    process::ExitCode,
    time::{Duration, Instant},
};

/// How long a signal waits to be seen.
const TICK: Duration = Duration::from_millis(100);

/// Records the calls and returns of functions in a ring per CPU, and shows what a CPU did last.
///
/// A CPU sends its ring when it calls the function or passes the tracepoint of --trigger, before it
/// goes on. SIGUSR1 shows the rings of all CPUs. Without a trigger, the end does, too. Needs root
/// and the bpf_percpu module.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Record these functions; in names, * matches any characters and ? matches one; @FILE is a
    /// file of names, one per line
    #[arg(long, value_name = "PATTERN", required = true, num_args = 1..)]
    functions: Vec<String>,
    /// Record these raw tracepoints, too, such as sched_switch or irq_handler_entry
    #[arg(long, value_name = "NAME", num_args = 1..)]
    tracepoints: Vec<String>,
    /// Show the ring of a CPU when it calls this function or, with tp:, passes this tracepoint;
    /// signal means only on SIGUSR1
    #[arg(long, value_name = "FUNCTION|tp:NAME|signal", default_value = "signal")]
    trigger: String,
    /// End after N dumps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// Show at most N entries of a ring, which has room for 512
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u64).range(1..))]
    last: u64,
    /// Record only this process, and let only it trigger
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Print JSON, one object per line: one for each ring, and one at the end
    #[arg(long)]
    json: bool,
}

/// The summary at the end.
#[derive(Serialize)]
struct Summary {
    dumps: u64,
    /// Dumps that did not fit into the buffer.
    lost_dumps: u64,
    /// Calls, returns and events that the kernel did not let the programs record.
    missed: u64,
}

fn main() -> ExitCode {
    program::run("lbr_ring", || run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let signals = Signals::new(&[&ENDING[..], &[libc::SIGUSR1]].concat())?;
    let setup = Setup {
        functions: functions::matching(&cli.functions)?,
        tracepoints: cli.tracepoints.clone(),
        pid: cli.pid,
        trigger: match (cli.trigger.as_str(), cli.trigger.strip_prefix("tp:")) {
            ("signal", _) => None,
            (_, Some(name)) => Some(Trigger::Tracepoint(name.to_string())),
            (name, None) => Some(Trigger::Function(name.to_string())),
        },
    };
    let mut object = MaybeUninit::uninit();
    let recorder = Recorder::start(&mut object, &setup)?;
    let arrived = Arrived::default();
    let buffer = recorder.buffer(&arrived)?;
    let mut shower = Shower {
        cli,
        recorder: &recorder,
        buffer: &buffer,
        arrived,
        dumps: 0,
        names: Names {
            functions: setup.functions,
            tracepoints: setup.tracepoints,
            trigger: cli.trigger.clone(),
        },
    };
    // Print to standard error, so that standard output has only the rings.
    eprintln!(
        "lbr_ring: recording {} functions; Ctrl-C ends it, kill -USR1 {} shows all CPUs",
        shower.names.functions.len(),
        std::process::id()
    );

    let until = cli.duration.map(|duration| Instant::now() + duration);
    let is_over = |now| until.is_some_and(|until| now >= until);
    let mut ended = false;
    while !ended && !shower.is_enough() && !is_over(Instant::now()) {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match buffer.poll(left.map_or(TICK, |left| left.min(TICK))) {
            // A stop signal and SIGCONT interrupted the call. Continue.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        shower.show_arrived(None)?;
        match signals.wait(Some(Instant::now()))? {
            Event::Signal(libc::SIGUSR1) => shower.show_all(Reason::Signal)?,
            Event::Signal(_) => ended = true,
            _ => {}
        }
    }
    if setup.trigger.is_none() && !shower.is_enough() {
        shower.show_all(Reason::End)?;
    }
    shower.end()?;
    Ok(ExitCode::SUCCESS)
}

/// Shows rings.
struct Shower<'a> {
    cli: &'a Cli,
    recorder: &'a Recorder<'a>,
    buffer: &'a RingBuffer<'a>,
    arrived: Arrived,
    dumps: u64,
    names: Names,
}

impl Shower<'_> {
    fn is_enough(&self) -> bool {
        self.cli.count.is_some_and(|count| self.dumps >= count)
    }

    /// Shows the rings that have arrived: those of triggers, and those that were requested as dump
    /// `asked`.
    fn show_arrived(&mut self, asked: Option<(u64, Reason)>) -> Result<()> {
        while let Some(ring) = self.arrived.take() {
            let ring = ring?;
            let (dump, reason) = match asked {
                Some(asked) if !ring.triggered => asked,
                _ if self.is_enough() => continue,
                _ => {
                    self.dumps += 1;
                    (self.dumps, Reason::Trigger)
                }
            };
            let last = self.cli.last as usize;
            let dump = Dump::new(dump, reason, ring, last, &self.names);
            program::write(&match self.cli.json {
                true => serde_json::to_string(&dump)? + "\n",
                false => format!("{dump}\n"),
            })?;
        }
        Ok(())
    }

    /// Shows the rings of all possible CPUs. Offline CPUs have what they did before.
    fn show_all(&mut self, reason: Reason) -> Result<()> {
        if self.is_enough() {
            return Ok(());
        }
        self.dumps += 1;
        let asked = Some((self.dumps, reason));
        for cpu in cpus::possible()? {
            loop {
                let has_room = self.recorder.read(cpu)?;
                self.buffer.consume()?;
                self.show_arrived(asked)?;
                // If there is no room, triggers have filled the buffer.
                if has_room {
                    break;
                }
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<()> {
        let summary = Summary {
            dumps: self.dumps,
            lost_dumps: self.recorder.lost(),
            missed: self
                .recorder
                .missed()
                .context("the programs cannot be asked")?,
        };
        if self.cli.json {
            return program::write(&(serde_json::to_string(&summary)? + "\n"));
        }
        let Summary {
            lost_dumps, missed, ..
        } = summary;
        if lost_dumps > 0 {
            eprintln!("lbr_ring: {lost_dumps} dumps came too fast, and were not taken");
        }
        if missed > 0 {
            eprintln!("lbr_ring: {missed} calls came while one was recorded, and were left out");
        }
        Ok(())
    }
}
