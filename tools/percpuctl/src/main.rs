// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, from the shell.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;
use percpuctl::program;

fn main() -> ExitCode {
    program::run("percpuctl", || commands::run(cli::Cli::parse()))
}
