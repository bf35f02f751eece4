// SPDX-License-Identifier: GPL-2.0

//! The BPF program: loading it, and running it to walk the CPUs.

use crate::{
    queue::{Queue, Walk},
    task::{self, Task},
};
use anyhow::{ensure, Context, Result};
use bpf_percpu::{cpus, libbpf};
use libbpf_rs::{
    skel::{OpenSkel, SkelBuilder},
    MapCore, MapFlags, OpenObject, ProgramInput,
};
use percpu_live::kernel::comm;
use skel::{types, RunqWalkSkel, RunqWalkSkelBuilder};
use std::{io, mem::MaybeUninit, process, ptr, time::Duration};

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/runq_walk.skel.rs"));
}

/// The program's value for an unknown time.
const UNKNOWN: u64 = u64::MAX;

/// The loaded program.
pub struct Walker<'obj> {
    skel: RunqWalkSkel<'obj>,
}

impl<'obj> Walker<'obj> {
    /// Loads the program, with room for all CPUs.
    pub fn load(object: &'obj mut MaybeUninit<OpenObject>) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = RunqWalkSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let ids = cpus::possible()?.last().map_or(0, |last| last + 1);
        open.maps.queues.set_max_entries(ids)?;
        let skel = open.load().map_err(libbpf::explain)?;
        let walker = Self { skel };
        // The first walk runs with cold caches, and takes many times longer than the next.
        walker.run()?;
        Ok(walker)
    }

    /// Runs the program once.
    fn run(&self) -> Result<()> {
        let output = self
            .skel
            .progs
            .runq_walk
            .test_run(ProgramInput::default())
            .context("the BPF program cannot be run")?;
        let error = (output.return_value as i32).wrapping_neg();
        ensure!(
            error == 0,
            "the BPF program failed: {}",
            io::Error::from_raw_os_error(error)
        );
        Ok(())
    }

    /// Runs the program once, and returns what it saw.
    pub fn walk(&self) -> Result<Walk> {
        self.run()?;
        let (walk, began, ended) = {
            let bss = self.skel.maps.bss_data.as_ref();
            let bss = bss.context("the BPF program has no .bss")?;
            (bss.walk, bss.began, bss.ended)
        };
        let ids = self.skel.maps.queues.max_entries();
        let all = self
            .skel
            .maps
            .queues
            .lookup_batch(ids, MapFlags::ANY, MapFlags::ANY)
            .context("what the BPF program saw cannot be read")?;
        let mut queues: Vec<Queue> = all
            .filter_map(|(key, value)| {
                let cpu = u32::from_ne_bytes(key.try_into().ok()?);
                // An older value is of a CPU that has gone offline.
                let seen = seen(&value).filter(|seen| seen.walk == walk)?;
                Some(queue(cpu, &seen))
            })
            .collect();
        queues.sort_by_key(|queue| queue.cpu);
        Ok(Walk {
            took: Duration::from_nanos(ended.saturating_sub(began)),
            queues,
        })
    }
}

/// Parses a value of the map.
fn seen(value: &[u8]) -> Option<types::queue> {
    if value.len() < size_of::<types::queue>() {
        return None;
    }
    // SAFETY: The slice is at least as long as the struct, which has only integers.
    Some(unsafe { ptr::read_unaligned(value.as_ptr().cast()) })
}

fn known(ns: u64) -> Option<u64> {
    (ns != UNKNOWN).then_some(ns)
}

fn queue(cpu: u32, seen: &types::queue) -> Queue {
    let current = (seen.idle == 0).then(|| Task {
        pid: seen.pid,
        tgid: seen.tgid,
        comm: comm(&seen.comm),
        state: task::state(seen.state),
        policy: task::policy(seen.policy),
        prio: seen.prio,
        nice: task::has_nice(seen.policy).then_some(seen.nice),
        rt_priority: task::has_rt_priority(seen.policy).then_some(seen.rt_priority),
        kernel: seen.kernel != 0,
        own: u32::try_from(seen.tgid) == Ok(process::id()),
        ran_ns: known(seen.ran),
    });
    Queue {
        cpu,
        running: seen.running,
        fair: seen.fair,
        rt: seen.rt,
        deadline: seen.deadline,
        ext: seen.ext,
        idle: seen.idle != 0,
        idle_ns: known(seen.idle_for),
        current,
        load: seen.load,
        util: seen.util,
        capacity: seen.capacity,
        switches: seen.switches,
        switches_rate: None,
    }
}
