// SPDX-License-Identifier: GPL-2.0

//! Finds tasks that are pinned to offline CPUs, to one CPU, or that have lost their pinning.
//!
//! The exit status is 0, 1 on an error, 2 for bad usage.

mod bpf;
mod cgroup;
mod log;
mod record;
mod report;
mod task;
mod text;
mod verdict;

use anyhow::{ensure, Context, Result};
use bpf::{Filter, Walker};
use bpf_percpu::cpus;
use cgroup::Directory;
use clap::Parser;
use percpu_live::program;
use report::Report;
use std::{mem::MaybeUninit, path::PathBuf, process::ExitCode};
use task::Machine;

/// Finds tasks that are pinned to offline CPUs, to one CPU, or that have lost their pinning.
///
/// Walks the CPUs that each task may use in BPF, and shows which of them are online, and which were
/// requested. By default it shows all tasks with a finding. For a process or a control group it
/// shows each task. Kernel threads whose CPUs the kernel fixes are only counted. Needs root and the
/// bpf_percpu module. The exit status is 1 on an error, but not for findings.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show only the threads of this process, or only this thread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// Show only the tasks of this control group (a directory of cgroup2), and the CPUs of its
    /// cpuset
    #[arg(long, value_name = "PATH", conflicts_with = "pid")]
    cgroup: Option<PathBuf>,
    /// Show its descendants, too
    #[arg(long, requires = "cgroup")]
    recursive: bool,
    /// Show tasks without a finding, too
    #[arg(long)]
    all: bool,
    /// Show kernel threads whose CPUs the kernel fixes, too
    #[arg(long)]
    kernel: bool,
}

fn main() -> ExitCode {
    program::run("task_cpus", || run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let directory = cli.cgroup.as_deref().map(Directory::open).transpose()?;
    let filter = Filter {
        pid: cli.pid,
        cgroup: directory.as_ref().map(|directory| directory.id),
        below: cli.recursive,
    };
    let mut object = MaybeUninit::uninit();
    let mut walker = Walker::load(&mut object, &filter)?;

    let directories = match directory {
        Some(directory) if cli.recursive => directory.with_all_below()?,
        directory => directory.into_iter().collect(),
    };
    let mut groups = Vec::new();
    for (i, directory) in directories.into_iter().enumerate() {
        match walker.cpuset(directory.id)? {
            Some(cpuset) => groups.push((directory, cpuset)),
            // Descendants may be removed at any time.
            None => ensure!(
                i > 0,
                "control group {} has been removed",
                directory.path.display()
            ),
        }
    }
    let walk = walker.tasks().with_context(|| match &cli.cgroup {
        Some(path) => format!(
            "the tasks of control group {} cannot be walked",
            path.display()
        ),
        None => "the tasks cannot be walked".to_string(),
    })?;
    if let Some(pid) = cli.pid {
        ensure!(
            !walk.tasks.is_empty(),
            "there is no process or thread {pid}"
        );
    }

    let machine = Machine {
        online: walk.online,
        possible: cpus::possible()?.into_iter().collect(),
    };
    let report = Report::new(
        machine,
        groups,
        walk.tasks,
        log::moved(),
        report::Options {
            all: cli.all || cli.pid.is_some() || cli.cgroup.is_some(),
            kernel: cli.kernel || cli.pid.is_some(),
        },
    );
    program::print(&report, cli.json)?;
    Ok(ExitCode::SUCCESS)
}
