// SPDX-License-Identifier: GPL-2.0

//! A loader of `pressure.bpf.c`: walks a cgroup and its descendants.

use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use anyhow::Result;
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::skel::SkelBuilder;
use libbpf_rs::CgroupIterOpts;
use libbpf_rs::CgroupIterOrder;
use libbpf_rs::Iter;
use libbpf_rs::IterOpts;
use skel::PressureSkelBuilder;

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks, missing_docs)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/pressure.skel.rs"));
}

/// Returns the program's output for the cgroup of this directory and its descendants.
///
/// # Errors
///
/// Returns the errors of the directory and the program.
pub fn run(cgroup: &str) -> Result<String> {
    let mut object = MaybeUninit::uninit();
    // [run]
    let cgroup = File::open(cgroup)?;
    let skel = PressureSkelBuilder::default().open(&mut object)?.load()?;
    let mut options = CgroupIterOpts::from_fd(cgroup.as_fd());
    options.order = CgroupIterOrder::DescendantsPre;
    let program = &skel.progs.pressure;
    let link = program.attach_iter_with_opts(IterOpts::Cgroup(options))?;
    let mut text = String::new();
    Iter::new(&link)?.read_to_string(&mut text)?;
    // [run end]
    Ok(text)
}
