// SPDX-License-Identifier: GPL-2.0

//! Measures bpf_percpu.ko beside what else there is: `make bench` runs this.

use std::path::PathBuf;
use std::process::ExitCode;

use bench::guest;
use bench::listing;
use bench::report;
use clap::Parser;
use clap::Subcommand;

/// Measures bpf_percpu.ko beside what else there is
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, in the guest, and print a JSON object a line
    Guest {
        /// The groups to measure; all that this guest has the CPUs for when none is named
        groups: Vec<String>,
    },
    /// Make a table, a JSON file and plots of what the boots have printed
    Report {
        /// The folder where the output of each boot is
        dir: PathBuf,
    },
    /// Print the machine code of the kfuncs that programs call most, with counts
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
