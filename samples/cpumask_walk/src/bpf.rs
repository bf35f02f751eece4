// SPDX-License-Identifier: GPL-2.0

//! The BPF program: loading it, running it once, and reading its results.

use anyhow::{bail, Context, Result};
use bpf_percpu::{cpu_list::CpuList, libbpf};
use libbpf_rs::{
    skel::{OpenSkel, SkelBuilder},
    ProgramInput,
};
use skel::{CpumaskWalkSkel, CpumaskWalkSkelBuilder};
use std::{io, mem::MaybeUninit};

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/cpumask_walk.skel.rs"));
}

/// How often to run the program if it asks for another run.
const MAX_RUNS: u32 = 1000;

/// What the BPF program saw.
pub struct Seen {
    /// One more than the highest possible CPU number.
    pub nr_cpu_ids: u32,
    /// The CPUs that can ever come online.
    pub possible: CpuList,
    /// The CPUs that are plugged in.
    pub present: CpuList,
    /// The CPUs that tasks run on.
    pub online: CpuList,
    /// The CPUs that tasks may migrate to.
    pub active: CpuList,
    /// The CPUs that this task may run on.
    pub task: CpuList,
}

/// Walks the masks in BPF.
pub fn walk() -> Result<Seen> {
    libbpf::keep_warnings();
    let mut object = MaybeUninit::uninit();
    let skel = CpumaskWalkSkelBuilder::default()
        .open(&mut object)
        .and_then(OpenSkel::load)
        .map_err(libbpf::explain)?;
    run(&skel)?;

    let seen = skel
        .maps
        .bss_data
        .as_ref()
        .context("the BPF program has no .bss")?;
    Ok(Seen {
        nr_cpu_ids: seen.nr_cpu_ids,
        possible: CpuList::from_bitmap(&seen.possible_cpus),
        present: CpuList::from_bitmap(&seen.present_cpus),
        online: CpuList::from_bitmap(&seen.online_cpus),
        active: CpuList::from_bitmap(&seen.active_cpus),
        task: CpuList::from_bitmap(&seen.task_cpus),
    })
}

fn run(skel: &CpumaskWalkSkel<'_>) -> Result<()> {
    for _ in 0..MAX_RUNS {
        let output = skel
            .progs
            .cpumask_walk
            .test_run(ProgramInput::default())
            .context("the BPF program cannot be run")?;
        if output.return_value == 0 {
            return Ok(());
        }
        let error = io::Error::from_raw_os_error((output.return_value as i32).wrapping_neg());
        match error.kind() {
            io::ErrorKind::WouldBlock => continue,
            io::ErrorKind::ArgumentListTooLong => {
                bail!("a CPU's number is too large for the bitmaps: raise MAX_CPUS in cpumask_walk.bpf.c")
            }
            _ => return Err(error).context("the BPF program failed"),
        }
    }
    bail!("the task was preempted in each of {MAX_RUNS} runs of the BPF program: try again on a less busy machine")
}
