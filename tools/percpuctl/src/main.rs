// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, from the shell.

mod cli;
mod commands;
mod probe;

use std::process::ExitCode;

use clap::Parser;
use percpu_live::program;

fn main() -> ExitCode {
    program::run("percpuctl", || commands::run(cli::Cli::parse()))
}
