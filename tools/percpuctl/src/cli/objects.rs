// SPDX-License-Identifier: GPL-2.0

//! What the commands for BPF programs with `SEC(".percpu")` variables take.

use std::path::PathBuf;

use bpf_percpu::variables::Form;
use clap::Args;

use crate::cli::choices::forms;

/// `load`.
#[derive(Debug, Args)]
pub struct Load {
    /// The object that clang has compiled with -g, lowered or not
    #[arg(value_name = "OBJ")]
    pub object: PathBuf,
    /// Pin the programs and links in this directory of a BPF file system, which is made if need be,
    /// and end
    #[arg(long, value_name = "DIR")]
    pub pin: Option<PathBuf>,
    /// Where the variables are, instead of where this kernel can have them: in arrays of the
    /// kernel, or in stores
    #[arg(long, value_parser = forms())]
    pub form: Option<Form>,
    /// Put a section (.percpu, .percpu.NAME) into the store of this name, which other programs may
    /// share; may be repeated
    #[arg(long, value_name = "SECTION=STORE", value_parser = parse_share)]
    pub share: Vec<(String, String)>,
    /// Attach the programs whose sections say to what
    #[arg(long)]
    pub attach: bool,
}

/// A section and the store that it is to be in.
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
    /// The object that clang has compiled with -g
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Where to write the other
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Only rename the sections, for a kernel that has such variables and a libbpf before 1.8
    #[arg(long)]
    pub native: bool,
}

/// `skel`.
#[derive(Debug, Args)]
pub struct Skel {
    /// The object that clang has compiled with -g, not lowered
    #[arg(value_name = "OBJ")]
    pub object: PathBuf,
    /// Write to this file, as a whole or, after an error, not at all
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What the object is called, instead of as its file up to the first dot
    #[arg(long)]
    pub name: Option<String>,
}
