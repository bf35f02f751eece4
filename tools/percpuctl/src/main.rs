// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, from the shell.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A reader that has enough is no error: end as other tools do.
    // SAFETY: No thread runs yet, and no handler is set.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("percpuctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}
