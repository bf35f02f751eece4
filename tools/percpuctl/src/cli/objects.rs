// SPDX-License-Identifier: GPL-2.0

//! The arguments of the commands for BPF programs with `SEC(".percpu")` variables.

use std::path::PathBuf;

use bpf_percpu::variables::Form;
use clap::Args;

use crate::cli::choices::forms;

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
