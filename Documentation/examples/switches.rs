// SPDX-License-Identifier: GPL-2.0

//! A loader of `switches.bpf.c`: shows the entry of each task.

use std::mem::MaybeUninit;

use anyhow::Result;
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::skel::Skel;
use libbpf_rs::skel::SkelBuilder;
use skel::SwitchesSkelBuilder;

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks, missing_docs)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/switches.skel.rs"));
}

/// Counts until `wait` returns. Returns each task and its sum.
///
/// # Errors
///
/// Returns the errors of the store and the program.
pub fn run(wait: impl FnOnce()) -> Result<Vec<(u64, u64)>> {
    let mut object = MaybeUninit::uninit();
    let mut open = SwitchesSkelBuilder::default().open(&mut object)?;
    // [bind]
    let stores = bpf_percpu::store::bind(open.open_object_mut())?;
    let mut skel = open.load()?;
    // [bind end]
    skel.attach()?;
    wait();
    // [read]
    let switches = &stores["switches"];
    for entry in switches.entries()? {
        let (task, entry) = entry?;
        println!("task {task}: {:?}", entry.read_u64(0)?);
    }
    // [read end]
    let all = switches.entries()?.map(|entry| {
        let (task, entry) = entry?;
        Ok((task, entry.sum_u64(0)?))
    });
    all.collect()
}
