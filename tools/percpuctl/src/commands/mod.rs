// SPDX-License-Identifier: GPL-2.0

//! The commands, one per file except for the smallest.

mod create;
mod dump;
#[cfg(feature = "export")]
pub mod export;
mod file;
mod list;
mod load;
mod man;
mod objects;
mod owner;
mod pins;
mod set;
mod show;
mod sum;
mod target;
mod watch;

use std::process::ExitCode;

use crate::probe::probe;
use anyhow::Result;
use clap::error::ErrorKind;
use clap::CommandFactory;
use percpu_live::program;
use serde::Serialize;
use serde_json::json;

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::Target;
use crate::commands::target::entry;
use crate::commands::target::result_of;

/// Runs a command. Returns the exit status.
pub fn run(cli: Cli) -> Result<ExitCode> {
    let json = cli.json;
    match cli.command {
        Command::Create(args) => create::run(&args, json)?,
        Command::List => list::list(json)?,
        Command::Show(which) => show::show(&which, json)?,
        Command::Dump(args) => dump::run(&args, json)?,
        Command::Set(args) => set::run(&args, json)?,
        Command::Sum(args) => sum::run(&args, json)?,
        Command::Rm(args) => remove(&args, json)?,
        Command::Watch(args) => watch::run(&args, json)?,
        #[cfg(feature = "export")]
        Command::Export(args) => export::run(args, json)?,
        Command::Load(args) => load::run(&args, json)?,
        Command::Lower(args) => objects::lower(&args, json)?,
        Command::Skel(args) => objects::skel(&args, json)?,
        Command::Probe => {
            let report = probe();
            print_as(json, &report, |report| report.to_string())?;
            return Ok(ExitCode::from(u8::from(!report.usable)));
        }
        Command::Completions { .. } if json => {
            bad_usage("a script for a shell is no JSON: leave out --json")
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "percpuctl", &mut script);
            program::write(script)?;
        }
        Command::Man { dir } => man::run(&dir, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(args: &Target, json: bool) -> Result<()> {
    let store = args.which.open()?;
    let removed = match &args.key {
        None => store,
        Some(key) => entry(&store, key)?,
    };
    let result = result_of(&removed, json!({"removed": true}));
    match args.key {
        None => removed.unpin()?,
        Some(_) => removed.delete()?,
    }
    print_as(json, &result, |_| String::new())
}

/// Prints the result as JSON, or as the text that `text` returns.
fn print_as<T: Serialize>(json: bool, result: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
    match json {
        true => program::write(serde_json::to_string_pretty(result)? + "\n"),
        false => program::write(text(result)),
    }
}

/// Reports arguments that clap accepts but that are invalid together. Exits with status 2, as clap
/// does.
fn bad_usage(message: impl std::fmt::Display) -> ! {
    Cli::command()
        .error(ErrorKind::ValueValidation, message)
        .exit()
}
