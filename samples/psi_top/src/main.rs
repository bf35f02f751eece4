// SPDX-License-Identifier: GPL-2.0

//! Shows how long the tasks of each cgroup waited for CPU, memory and IO, on each CPU.
//!
//! The exit status is 0, 1 on an error, 2 for bad usage.

mod bpf;
mod interval;
mod sampler;
mod times;
mod view;

use anyhow::{bail, ensure, Context, Result};
use bpf::Reader;
use bpf_percpu::{cpu_list::CpuList, cpus};
use clap::Parser;
use interval::{Intervals, Sort};
use percpu_live::{
    cgroup::Tree,
    program,
    value::parse_seconds,
    watch::{self, Event, Show, Signals, ENDING},
};
use sampler::{Sampler, Totals};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use view::{Choice, View};

/// Shows how long the tasks of each cgroup waited for CPU, memory and IO, on each CPU that they may
/// use.
///
/// "Some" is the time that some tasks waited, "all" the time that nothing else was done. The line
/// of a cgroup combines its CPUs as the kernel does in cpu.pressure, memory.pressure and
/// io.pressure: each CPU is weighted by how busy it was. Needs root, the bpf_percpu module and a
/// kernel with PSI enabled. Ctrl-C ends it.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON, one object per line, with times in ns
    #[arg(long)]
    json: bool,
    /// Show this cgroup and its descendants; a path below the cgroup mount
    #[arg(long, value_name = "PATH", default_value = "/")]
    cgroup: PathBuf,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    duration: Option<Duration>,
    /// End after N tables
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// Sort by the time that tasks waited for this resource
    #[arg(long, value_enum, default_value_t, value_name = "RESOURCE")]
    sort: Sort,
    /// Show at most N cgroups
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,
    /// Show only these CPUs, such as 0-3,5
    #[arg(long, value_name = "LIST", conflicts_with = "total")]
    cpus: Option<CpuList>,
    /// Show cgroups without their CPUs
    #[arg(long)]
    total: bool,
    /// Show cgroups and CPUs where nothing ran or waited, too
    #[arg(long)]
    idle: bool,
}

fn main() -> ExitCode {
    program::run("psi_top", || run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<ExitCode> {
    // Before the sampler's thread starts, so that it does not get the signals.
    let signals = Signals::new(&ENDING)?;
    ensure!(
        Path::new("/proc/pressure").exists(),
        "the kernel keeps no PSI, there is no /proc/pressure: boot with psi=1"
    );
    let possible: CpuList = cpus::possible()?.into_iter().collect();
    let wanted = cli.cpus.clone().unwrap_or_else(|| possible.clone());
    let impossible = wanted.without(&possible);
    ensure!(
        impossible.is_empty(),
        "there is no CPU {impossible}: the possible ones are {possible}"
    );
    let mut tree = Tree::new(&cli.cgroup)?;
    let (id, name) = (tree.id()?, tree.name());
    let records = tree.count() * possible.len();
    let about = || format!("cgroup {name}");
    let sampler = Sampler::start(Reader::new(id, records)).with_context(about)?;
    let start = sampler.now().with_context(about)?;
    if !start.1.cgroups.contains_key(&id) && start.1.without_psi > 0 {
        let todo = match tree.path().join("cgroup.pressure").exists() {
            true => "write 1 into its cgroup.pressure",
            false => "boot without cgroup_disable=pressure",
        };
        bail!("cgroup {name} has PSI switched off: {todo}");
    }

    let until = cli.duration.map(|duration| Instant::now() + duration);
    let mut intervals = Intervals::new(tree, cli.sort, start);
    // There is nothing to show before the first interval ends.
    let first = Instant::now() + cli.interval;
    let first = until.map_or(first, |until| until.min(first));
    if let Event::Signal(_) = signals.wait(Some(first))? {
        return Ok(ExitCode::SUCCESS);
    }
    let options = watch::Options {
        interval: cli.interval,
        iterations: cli.iterations,
        until,
        json: cli.json,
    };
    let choice = Choice {
        top: cli.top,
        idle: cli.idle,
        cpus: !cli.total,
    };
    let mut look = || {
        let now: (Instant, Totals) = sampler.now().with_context(about)?;
        let mut interval = intervals.next(now, &online()?);
        interval.keep(&wanted);
        Ok(View { interval, choice })
    };
    // A single table needs no screen.
    if cli.iterations == Some(1) && !cli.json {
        let lines = look()?.lines(None, watch::bars());
        program::write(&(lines.join("\n") + "\n"))?;
    } else {
        watch::run(options, look)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The CPUs that are online now.
fn online() -> Result<CpuList> {
    const FILE: &str = "/sys/devices/system/cpu/online";
    let text = fs::read_to_string(FILE).with_context(|| format!("{FILE} cannot be read"))?;
    text.trim().parse().context(FILE)
}
