// SPDX-License-Identifier: GPL-2.0

//! The arguments of the commands for stores.

use std::path::PathBuf;
use std::time::Duration;

use bpf_percpu::store::KeyKind;
use clap::Args;
use percpu_live::value::parse_seconds;
use percpu_live::value::parse_size;
use percpu_live::value::parse_u32;
use percpu_live::value::Word;

use crate::cli::choices::key_kinds;
use crate::cli::choices::words;
use crate::cli::Type;
use crate::cli::Which;
use crate::cli::Whose;

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
    pub which: Which,
    #[command(flatten)]
    pub whose: Whose,
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
    pub which: Which,
    #[command(flatten)]
    pub whose: Whose,
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
    pub which: Which,
    #[command(flatten)]
    pub whose: Whose,
    /// Add up the value that starts at this byte, a multiple of its width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: u32,
    /// The type of the value and of the sum, which wraps
    #[arg(long = "type", value_name = "TYPE", default_value = "u64", value_parser = words())]
    pub kind: Word,
}

/// `rm`.
#[derive(Debug, Args)]
pub struct Rm {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub whose: Whose,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub whose: Whose,
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
