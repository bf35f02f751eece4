// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bpf_percpu::store::KeyKind;
use bpf_percpu::variables::Form;
use clap::builder::PossibleValue;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;
use percpu_live::value::parse_seconds;
use percpu_live::value::parse_size;
use percpu_live::value::parse_u32;
use percpu_live::value::Word;
use serde::Serialize;

#[cfg(feature = "export")]
use crate::commands::export::Export;

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
    Rm(Target),
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

/// A store, or an entry of a keyed one.
#[derive(Debug, Args)]
pub struct Target {
    #[command(flatten)]
    pub which: Which,
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

/// `create`.
#[derive(Debug, Args)]
pub struct Create {
    /// The name: 1 to 63 of the characters A-Z a-z 0-9 _ . -
    pub name: String,
    /// Bytes per CPU: decimal, hexadecimal after 0x, or KiB with K
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub size: u32,
    /// A file with the initial bytes of each CPU; the rest is zero
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Make the store keyed, with entries for this kind of owner
    #[arg(long, value_name = "KIND", requires = "entries", value_parser = key_kinds())]
    pub key: Option<KeyKind>,
    /// The number of entries
    #[arg(long, value_name = "N", requires = "key", value_parser = parse_u32)]
    pub entries: Option<u32>,
    /// Keep the store only as long as percpuctl runs
    #[arg(long)]
    pub no_pin: bool,
}

/// `dump`.
#[derive(Debug, Args)]
pub struct Dump {
    #[command(flatten)]
    pub target: Target,
    /// Show only this CPU
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub cpu: Option<u32>,
    /// The type of the values
    #[arg(long = "type", value_name = "TYPE", default_value = "u64")]
    pub kind: Type,
    /// Start at this byte
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_u32)]
    pub offset: u32,
    /// Show at most N values, or N bytes with --type hex
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub count: Option<u32>,
}

/// `set`.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    pub target: Target,
    /// Write at this byte
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: u32,
    /// A number, decimal or hexadecimal after 0x; with --type hex, two digits for each byte
    #[arg(long, value_name = "V")]
    pub value: String,
    /// The type of the value
    #[arg(long = "type", value_name = "TYPE", default_value = "u64")]
    pub kind: Type,
    #[command(flatten)]
    pub cpus: Cpus,
}

/// One CPU or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Cpus {
    /// Write only for this CPU
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub cpu: Option<u32>,
    /// Write for every possible CPU
    #[arg(long)]
    pub all: bool,
}

/// `sum`.
#[derive(Debug, Args)]
pub struct Sum {
    #[command(flatten)]
    pub target: Target,
    /// Add up the value that starts at this byte, a multiple of its width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: u32,
    /// The type of the value and of the sum, which wraps
    #[arg(long = "type", value_name = "TYPE", default_value = "u64", value_parser = words())]
    pub kind: Word,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    pub target: Target,
    /// Seconds between two tables
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    pub interval: Duration,
    /// The type of the counters
    #[arg(long = "type", value_name = "TYPE", default_value = "u64", value_parser = words())]
    pub kind: Word,
    /// Start at this byte, a multiple of the counters' width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: Option<u32>,
    /// Show N counters, including those that are zero; by default all that have not always been
    /// zero
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub count: Option<u32>,
    /// End after N tables
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
    /// Show only totals, no CPUs
    #[arg(long)]
    pub total: bool,
}

/// `load`.
#[derive(Debug, Args)]
pub struct Load {
    /// The object, compiled by clang with -g, lowered or not
    #[arg(value_name = "OBJ")]
    pub object: PathBuf,
    /// Pin the programs and links in this directory of a BPF file system, which is created if
    /// necessary, and exit
    #[arg(long, value_name = "DIR")]
    pub pin: Option<PathBuf>,
    /// Put the variables in arrays of the kernel or in stores, instead of choosing by the kernel
    #[arg(long, value_parser = forms())]
    pub form: Option<Form>,
    /// Put a section (.percpu, .percpu.NAME) into the store of this name, which other programs may
    /// share; may be repeated
    #[arg(long, value_name = "SECTION=STORE", value_parser = parse_share)]
    pub share: Vec<(String, String)>,
    /// Attach the programs as their section names say
    #[arg(long)]
    pub attach: bool,
}

/// Parses a section and the name of a store.
fn parse_share(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((section, store)) if !section.is_empty() && !store.is_empty() => {
            Ok((section.to_string(), store.to_string()))
        }
        _ => Err("give a section and a store, like .percpu=packets".to_string()),
    }
}

/// `lower`.
#[derive(Debug, Args)]
pub struct Lower {
    /// The object, compiled by clang with -g
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Only rename the sections, for a kernel that supports such variables and a libbpf before 1.8
    #[arg(long)]
    pub native: bool,
}

/// `skel`.
#[derive(Debug, Args)]
pub struct Skel {
    /// The object, compiled by clang with -g, not lowered
    #[arg(value_name = "OBJ")]
    pub object: PathBuf,
    /// Write to this file, completely or, after an error, not at all
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The name of the object; by default its file name up to the first dot
    #[arg(long)]
    pub name: Option<String>,
}

/// The names of [`Word`].
pub fn words() -> impl TypedValueParser<Value = Word> {
    names([("u32", "4 bytes"), ("u64", "8 bytes")])
}

/// The names of [`KeyKind`].
fn key_kinds() -> impl TypedValueParser<Value = KeyKind> {
    const TASK: &str = "Tasks, by thread id; an entry is removed with its task";
    const CGROUP: &str = "Control groups, by id; an entry is removed with its cgroup";
    const U64: &str = "Numbers; an entry stays until it is deleted";
    names([("task", TASK), ("cgroup", CGROUP), ("u64", U64)])
}

/// The names of [`Form`].
fn forms() -> impl TypedValueParser<Value = Form> {
    const NATIVE: &str = "In the kernel's own form, from 7.3 on: each section is a per-CPU array";
    names([("native", NATIVE), ("lowered", "In stores of the module")])
}

/// The names of a type that a library defines, each with its line of help.
fn names<T, const N: usize>(
    names: [(&'static str, &'static str); N],
) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = anyhow::Error> + Clone + Send + Sync + 'static,
{
    let values = names.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).try_map(|name| name.parse())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("percpuctl").chain(line.split_whitespace()))
    }

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_usage() {
        for (kind, lines) in [
            (
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                &[""][..],
            ),
            (ErrorKind::InvalidSubcommand, &["nothing"][..]),
            (
                ErrorKind::MissingRequiredArgument,
                &[
                    "create x",
                    "create x --size 8 --key task",
                    "create x --size 8 --entries 4",
                    "show",
                    "rm --key 1",
                    "set x --offset 0 --value 1",
                    "sum x",
                    "export x --output f",
                    "export x --format prometheus",
                    "man",
                    "lower x",
                    "skel",
                    "load",
                ][..],
            ),
            (
                ErrorKind::ValueValidation,
                &[
                    "create x --size 8M",
                    "watch x --interval 0",
                    "watch x --interval nan",
                    "watch x --iterations 0",
                    "export x --listen localhost",
                    "export x --counter x:0",
                    "load x --share .percpu",
                    "load x --share =s",
                ][..],
            ),
            (
                ErrorKind::InvalidValue,
                &[
                    "create x --size 8 --key pid --entries 4",
                    "dump x --type u16",
                    "sum x --offset 0 --type hex",
                    "load x --form other",
                ][..],
            ),
            (
                ErrorKind::UnknownArgument,
                &[
                    "create x --size 8 --key task --entries -4",
                    "show x --key 1",
                ][..],
            ),
            (
                ErrorKind::ArgumentConflict,
                &[
                    "show x --id 1",
                    "set x --offset 0 --value 1 --cpu 0 --all",
                    "export x --once --listen 127.0.0.1",
                ][..],
            ),
        ] {
            for line in lines {
                assert_eq!(parse(line).expect_err(line).kind(), kind, "{line}");
            }
        }
    }

    #[test]
    fn json_may_be_anywhere() {
        for line in ["--json list", "list --json"] {
            assert!(parse(line).expect(line).json);
        }
    }
}
