// SPDX-License-Identifier: GPL-2.0

//! The command line.

mod choices;
#[cfg(feature = "export")]
mod export;
mod objects;
mod stores;

use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;
use percpu_live::value::parse_u32;
use percpu_live::value::Word;
use serde::Serialize;

#[cfg(feature = "export")]
pub use export::Counter;
#[cfg(feature = "export")]
pub use export::Export;
#[cfg(feature = "export")]
pub use export::Format;
#[cfg(feature = "export")]
pub use export::PREFIX;
pub use objects::Load;
pub use objects::Lower;
pub use objects::Skel;
pub use stores::Create;
pub use stores::Dump;
pub use stores::Rm;
pub use stores::Set;
pub use stores::Sum;
pub use stores::Watch;

/// Shows and changes the per-CPU stores of bpf_percpu.ko.
///
/// A store holds some bytes for each possible CPU. BPF programs count in it exactly, with the
/// module's kfuncs.
///
/// Needs root or CAP_BPF. The exit status is 0, 1 after an error, or 2 for bad usage.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a store and print its id
    ///
    /// With --key the store is keyed: it has entries, which BPF programs give to tasks, cgroups or
    /// numbers. The size is that of each entry.
    ///
    /// The store is pinned: it stays until it is removed. With --no-pin it lives until percpuctl
    /// ends, and until BPF programs and others that have opened it are done. percpuctl ends when
    /// its standard input ends (Ctrl-D) or when it gets a signal (Ctrl-C).
    Create(Create),
    /// List all stores
    List,
    /// Show one store, and the owners of entries of a keyed store
    Show(Which),
    /// Print the content of a store or of an entry
    Dump(Dump),
    /// Write a value for one CPU, or for all
    ///
    /// If a BPF program adds to the value at the same time, its add may be lost.
    Set(Set),
    /// Add up a value over all possible CPUs
    ///
    /// For a keyed store without --key: prints the sum of each owner, the largest first.
    Sum(Sum),
    /// Remove a store: its name is free at once, and the store goes away with its last user
    ///
    /// With --key: remove only that entry.
    Rm(Rm),
    /// Show counters live, with their growth per second
    ///
    /// On a terminal the table is updated in place until Ctrl-C. Otherwise percpuctl prints one
    /// table after the other or, with --json, one object per line.
    Watch(Watch),
    /// Export counters to Prometheus over HTTP
    ///
    /// /metrics returns OpenMetrics text, or Prometheus' own format for clients that accept no
    /// other. Each counter of each CPU is bpf_percpu_store_counter_total or has the name from
    /// --counter. Stores are opened for each scrape only: new and removed stores are noticed, and
    /// none is kept alive. SIGINT (Ctrl-C) or SIGTERM ends it.
    ///
    /// There is no authentication: anybody who can reach the address can read the counters. By
    /// default that is only this machine; --listen changes it.
    #[cfg(feature = "export")]
    Export(Export),
    /// Load a BPF program that has SEC(".percpu") variables
    ///
    /// If the kernel supports such variables, from 7.3 on, they are native; otherwise they are in
    /// stores. The programs stay loaded until percpuctl ends, which is when its standard input ends
    /// (Ctrl-D) or when it gets a signal (Ctrl-C). With --pin, percpuctl ends at once, and the
    /// programs stay until their files are removed. So do the stores of the variables, which need
    /// no pin of their own.
    Load(Load),
    /// Rewrite a BPF program that has SEC(".percpu") variables, for any loader
    ///
    /// The variables are then in stores. include/bpf_percpu_load.h or the library creates the
    /// stores. OUT is written completely or, after an error, not at all.
    Lower(Lower),
    /// Write a Rust module for a BPF program that has SEC(".percpu") variables
    ///
    /// Each section is a struct that can be read and written for each CPU. The module contains the
    /// object, opens it and loads it. It goes to standard output, and depends only on the crate
    /// bpf_percpu. Build scripts call bpf_percpu_lower::skel::generate() instead.
    Skel(Skel),
    /// Show what this kernel and the module support
    ///
    /// The exit status is 0 if the module can be used with all of its kfuncs.
    Probe,
    /// Print a completion script for percpuctl's command line
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages: one for percpuctl, and one for each command
    #[command(hide = true)]
    Man {
        /// Write to this directory, which is created if necessary
        dir: PathBuf,
    },
}

/// A store.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The store's name
    pub name: Option<String>,
    /// The store's id, instead of its name
    #[arg(long, value_parser = parse_u32)]
    pub id: Option<u32>,
}

/// An entry of a keyed store.
#[derive(Debug, Args)]
pub struct Whose {
    /// The entry of a keyed store: a thread id, a cgroup's id or path, or a number
    #[arg(long, value_name = "K")]
    pub key: Option<String>,
}

/// The type of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Numbers of 4 bytes
    U32,
    /// Numbers of 8 bytes
    U64,
    /// Bytes
    Hex,
}

impl Type {
    /// The number, if it is one.
    pub fn word(self) -> Option<Word> {
        match self {
            Self::U32 => Some(Word::U32),
            Self::U64 => Some(Word::U64),
            Self::Hex => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;
    use clap::CommandFactory;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_usage() {
        for (line, kind) in [
            ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("nothing", ErrorKind::InvalidSubcommand),
            ("create x", ErrorKind::MissingRequiredArgument),
            ("create x --size 8M", ErrorKind::ValueValidation),
            (
                "create x --size 8 --key task",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "create x --size 8 --entries 4",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "create x --size 8 --key pid --entries 4",
                ErrorKind::InvalidValue,
            ),
            (
                "create x --size 8 --key task --entries -4",
                ErrorKind::UnknownArgument,
            ),
            ("show", ErrorKind::MissingRequiredArgument),
            ("show x --key 1", ErrorKind::UnknownArgument),
            ("rm --key 1", ErrorKind::MissingRequiredArgument),
            ("show x --id 1", ErrorKind::ArgumentConflict),
            ("dump x --type u16", ErrorKind::InvalidValue),
            (
                "set x --offset 0 --value 1",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "set x --offset 0 --value 1 --cpu 0 --all",
                ErrorKind::ArgumentConflict,
            ),
            ("sum x --offset 0 --type hex", ErrorKind::InvalidValue),
            ("sum x", ErrorKind::MissingRequiredArgument),
            ("watch x --interval 0", ErrorKind::ValueValidation),
            ("watch x --interval nan", ErrorKind::ValueValidation),
            ("watch x --iterations 0", ErrorKind::ValueValidation),
            ("export x --listen localhost", ErrorKind::ValueValidation),
            ("export x --counter x:0", ErrorKind::ValueValidation),
            ("export x --output f", ErrorKind::MissingRequiredArgument),
            (
                "export x --format prometheus",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "export x --once --listen 127.0.0.1",
                ErrorKind::ArgumentConflict,
            ),
            ("man", ErrorKind::MissingRequiredArgument),
            ("lower x", ErrorKind::MissingRequiredArgument),
            ("skel", ErrorKind::MissingRequiredArgument),
            ("load", ErrorKind::MissingRequiredArgument),
            ("load x --form other", ErrorKind::InvalidValue),
            ("load x --share .percpu", ErrorKind::ValueValidation),
            ("load x --share =s", ErrorKind::ValueValidation),
        ] {
            let args = std::iter::once("percpuctl").chain(line.split_whitespace());
            let error = Cli::try_parse_from(args).expect_err(line);
            assert_eq!(error.kind(), kind, "{line}");
        }
    }

    #[test]
    fn json_may_be_anywhere() {
        for line in ["--json list", "list --json"] {
            let args = std::iter::once("percpuctl").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(args).expect(line).json);
        }
    }
}
