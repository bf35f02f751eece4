// SPDX-License-Identifier: GPL-2.0

//! What the commands for stores take.

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
    /// 1 to 63 of the characters A-Z a-z 0-9 _ . -
    pub name: String,
    /// Bytes per CPU: a number, 0x and a hexadecimal one, or KiB with K
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub size: u32,
    /// A file with the initial bytes of every CPU; the rest is zero
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Make the store keyed, with entries for these
    #[arg(long, value_name = "KIND", requires = "entries", value_parser = key_kinds())]
    pub key: Option<KeyKind>,
    /// How many entries it has
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
    /// Only this CPU
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub cpu: Option<u32>,
    /// What the bytes are
    #[arg(long = "type", value_name = "TYPE", default_value = "u64")]
    pub kind: Type,
    /// From this byte on
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_u32)]
    pub offset: u32,
    /// At most so many values, or bytes with --type hex
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
    /// From this byte on
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: u32,
    /// A number, decimal or hexadecimal after 0x; with --type hex pairs of digits, a pair a byte
    #[arg(long, value_name = "V")]
    pub value: String,
    /// What the value is
    #[arg(long = "type", value_name = "TYPE", default_value = "u64")]
    pub kind: Type,
    #[command(flatten)]
    pub cpus: Cpus,
}

/// One CPU or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Cpus {
    /// Only for this CPU
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub cpu: Option<u32>,
    /// For every possible CPU
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
    /// Of the value that starts at this byte, a multiple of its width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: u32,
    /// What the value is; the sum is one, too, and wraps as such
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
    /// Seconds between two looks
    #[arg(long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    pub interval: Duration,
    /// What the counters are
    #[arg(long = "type", value_name = "TYPE", default_value = "u64", value_parser = words())]
    pub kind: Word,
    /// From this byte on, a multiple of the counters' width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: Option<u32>,
    /// So many counters, those that are zero too; without it all that were not zero once
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub count: Option<u32>,
    /// End after so many looks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
    /// Totals only, no CPUs
    #[arg(long)]
    pub total: bool,
}
