// SPDX-License-Identifier: GPL-2.0

//! The commands, one a file but for the smallest.

mod create;
mod dump;
#[cfg(feature = "export")]
mod export;
mod file;
mod keep;
mod list;
mod load;
mod lower;
mod man;
mod owner;
mod pins;
mod set;
mod show;
mod skel;
mod sum;
mod target;
mod watch;

use std::io;
use std::io::Write;
use std::process::ExitCode;

use crate::probe::probe;
use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store::AnyStore;
use clap::error::ErrorKind;
use clap::CommandFactory;
use serde::Serialize;
use serde_json::json;

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::Rm;
use crate::cli::Which;
use crate::commands::owner::Owner;
use crate::commands::target::entry;
use crate::commands::target::not_keyed;

/// Does what was asked for.
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
        Command::Export(args) => export::run(&args, json)?,
        Command::Load(args) => load::run(&args, json)?,
        Command::Lower(args) => lower::run(&args, json)?,
        Command::Skel(args) => skel::run(&args, json)?,
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
            print(&script)?;
        }
        Command::Man { dir } => man::run(&dir, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(args: &Rm, json: bool) -> Result<()> {
    let store = open(&args.which)?;
    let mut result = json!({"id": store.id(), "name": store.name(), "removed": true});
    match (&store, &args.whose.key) {
        (_, None) => store.unpin()?,
        (AnyStore::Plain(store), Some(_)) => bail!(not_keyed(store.name())),
        (AnyStore::Keyed(store), Some(key)) => {
            let entry = entry(store, key)?;
            result["owner"] = json!(Owner::of(store.kind(), entry.owner));
            store.delete(entry)?;
        }
    }
    print_as(json, &result, |_| String::new())
}

/// The store that the user means.
fn open(which: &Which) -> Result<AnyStore> {
    let store = match (&which.name, which.id) {
        (_, Some(id)) => AnyStore::open_id(id),
        (name, None) => AnyStore::open(name.as_deref().unwrap_or_default()),
    };
    Ok(store?)
}

/// Prints JSON, or what `text` makes of the result for people.
fn print_as<T: Serialize>(json: bool, result: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
    match json {
        true => print((serde_json::to_string_pretty(result)? + "\n").as_bytes()),
        false => print(text(result).as_bytes()),
    }
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .context("the result cannot be written to standard output")
}

/// For what is wrong with several arguments together: ends with status 2, as clap does.
fn bad_usage(message: impl std::fmt::Display) -> ! {
    Cli::command()
        .error(ErrorKind::ValueValidation, message)
        .exit()
}
