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
/// A store holds a number of bytes for each possible CPU. BPF programs count in it exactly, with
/// the module's kfuncs.
///
/// Needs root or CAP_BPF. The exit status is 0, 1 after an error, 2 for bad usage.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a store and print its id
    ///
    /// With --key it is keyed: it has entries, which BPF programs take for tasks, cgroups or
    /// numbers, and its size is that of each.
    ///
    /// The store is pinned: it stays until it is removed. With --no-pin it is there until percpuctl
    /// ends, which is when its standard input ends (Ctrl-D) or a signal asks it to (Ctrl-C), and
    /// until BPF programs and others that opened it are done.
    Create(Create),
    /// List all stores
    List,
    /// Show what is known of a store, and who has entries in a keyed one
    Show(Which),
    /// Print the content of a store, or of an entry
    Dump(Dump),
    /// Write a value into the copy of one CPU, or of all
    ///
    /// What a BPF program adds to the value in the same moment may be lost.
    Set(Set),
    /// Add a value up over all possible CPUs
    ///
    /// Of a keyed store without --key: for each owner of an entry, the largest sum first.
    Sum(Sum),
    /// Remove a store: its name is free at once, it goes with its last user
    ///
    /// With --key only an entry of it.
    Rm(Rm),
    /// Show counters live, with their growth per second
    ///
    /// On a terminal one table that changes, until Ctrl-C; otherwise one table after the other, and
    /// with --json an object per line.
    Watch(Watch),
    /// Offer counters to Prometheus, over HTTP
    ///
    /// What is at /metrics is OpenMetrics text, or Prometheus' own for clients that take no other.
    /// Each counter of each CPU is bpf_percpu_store_counter_total or, with --counter, what you call
    /// it. Stores are opened anew for each look: what comes and goes is seen, and none is kept
    /// alive. SIGINT (Ctrl-C) or SIGTERM ends it.
    ///
    /// Nobody is asked who they are: whoever can reach the address reads the counters. Unless
    /// --listen says otherwise, that is this machine.
    #[cfg(feature = "export")]
    Export(Export),
    /// Load a BPF program that has SEC(".percpu") variables
    ///
    /// Where the kernel has such variables itself, from 7.3 on, it gets them; elsewhere they are
    /// put into stores. What was loaded stays until percpuctl ends, which is when its standard
    /// input ends (Ctrl-D) or a signal asks it to (Ctrl-C). With --pin percpuctl ends at once, and
    /// the programs stay until their files are removed; so do the stores, which need no pin of
    /// their own.
    Load(Load),
    /// Rewrite a BPF program that has SEC(".percpu") variables, for any loader
    ///
    /// The variables are in stores then, and include/bpf_percpu_load.h or the library give each
    /// program its own. OUT is written as a whole or, after an error, not at all.
    Lower(Lower),
    /// Write a Rust module for a BPF program that has SEC(".percpu") variables
    ///
    /// Each section is a struct, to be read and written for each CPU; the module holds the object,
    /// opens it and loads it. It goes to standard output and needs crate bpf_percpu alone. Build
    /// scripts call bpf_percpu_lower::skel::generate() instead.
    Skel(Skel),
    /// Show what this kernel and the module offer
    ///
    /// The exit status is 0 when the module can be used with all of its kfuncs.
    Probe,
    /// Print a script that completes percpuctl's command line
    Completions {
        /// For this shell
        shell: Shell,
    },
    /// Write the manual pages: one of percpuctl, and one of each command
    #[command(hide = true)]
    Man {
        /// Into this directory, which is made if need be
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
    /// Of a keyed store the entry of this task, cgroup or key: a thread id, a cgroup's id or path,
    /// or a number
    #[arg(long, value_name = "K")]
    pub key: Option<String>,
}

/// How bytes are shown.
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
