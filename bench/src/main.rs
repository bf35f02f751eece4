// SPDX-License-Identifier: GPL-2.0

//! Benchmarks bpf_percpu.ko and its alternatives. `make bench` runs this.

use std::path::PathBuf;
use std::process::ExitCode;

use bench::guest;
use bench::listing;
use bench::report;
use clap::Parser;
use clap::Subcommand;

/// Measure bpf_percpu.ko and its alternatives
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure in the guest, and print one JSON object per line
    Guest {
        /// The groups to measure; by default all for which this guest has the CPUs
        groups: Vec<String>,
    },
    /// Make a table, a JSON file and plots from the output of the boots
    Report {
        /// The directory with the output of each boot
        dir: PathBuf,
    },
    /// Print the machine code of the hottest kfuncs, with counts
    Listing {
        /// bpf_percpu.ko
        module: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Guest { groups } => guest::run(&groups),
        Command::Report { dir } => report::run(&dir),
        Command::Listing { module } => listing::run(&module),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
