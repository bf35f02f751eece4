// SPDX-License-Identifier: GPL-2.0

//! The BPF programs: the store, loading and attaching.

use crate::{
    load::ADDS_PER_RUN,
    perf::{Event, Events},
};
use anyhow::{Context as _, Result};
use bpf_percpu::{
    cpus, libbpf,
    store::{self, Store},
};
use libbpf_rs::{
    skel::{OpenSkel, SkelBuilder},
    Link, MapCore, MapFlags, OpenObject,
};
use percpu_live::{program, value::Word};
use skel::{NmiCountSkel, NmiCountSkelBuilder};
use std::{
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd},
    thread,
    time::Duration,
};

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/nmi_count.skel.rs"));
}

/// The name in `BPF_PERCPU_STORE()`.
const STORE: &str = "nmi_count";

/// The tracepoint of NMIs.
const NMI_HANDLER: &str = "nmi_handler";

const LONGER_THAN_AN_NMI: Duration = Duration::from_millis(100);

/// The programs. The interrupting ones run until this is dropped.
pub struct Programs<'obj> {
    nmis: Option<Link>,
    samples: Vec<Link>,
    skel: NmiCountSkel<'obj>,
    store: Store,
    /// The possible CPUs.
    pub cpus: Vec<u32>,
}

/// How often an interrupting program ran.
#[derive(Debug, Default, Clone, Copy)]
pub struct Runs {
    /// In any context.
    pub all: u64,
    /// The number of runs in NMI context, if that is known for all runs.
    pub in_nmi: Option<u64>,
}

impl From<&skel::types::runs> for Runs {
    fn from(runs: &skel::types::runs) -> Self {
        Self {
            all: runs.all,
            in_nmi: (runs.somewhere == 0).then_some(runs.in_nmi),
        }
    }
}

impl<'obj> Programs<'obj> {
    /// Creates the store, and loads the programs.
    pub fn load(object: &'obj mut MaybeUninit<OpenObject>) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = NmiCountSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let constants = open.maps.rodata_data.as_mut();
        constants
            .context("the BPF program has no .rodata")?
            .adds_per_run = ADDS_PER_RUN;
        let store = store::bind(open.open_object_mut())?
            .remove(STORE)
            .context("the BPF program asks for no store")?;
        // With a second user, all totals would be wrong.
        program::only_user("nmi_count", &store.info()?)?;
        Ok(Self {
            nmis: None,
            samples: Vec::new(),
            skel: open.load().map_err(libbpf::explain)?,
            store,
            cpus: cpus::possible()?,
        })
    }

    /// The program that threads run.
    pub fn task(&self) -> Result<OwnedFd> {
        let program = &self.skel.progs.add_in_task;
        let program = program.as_fd().try_clone_to_owned();
        program.context("the BPF program's file cannot be duplicated")
    }

    /// Runs a program at each sample of the events. Returns which CPU has which event.
    pub fn attach_samples(&mut self, events: Events) -> Result<Vec<(u32, Event)>> {
        let mut attached = Vec::new();
        for (cpu, event, fd) in events.open {
            let program = &self.skel.progs.add_in_sample;
            let link = program.attach_perf_event(fd.as_raw_fd());
            self.samples.push(link.map_err(libbpf::explain)?);
            // The link closes it.
            let _ = fd.into_raw_fd();
            attached.push((cpu, event));
        }
        Ok(attached)
    }

    /// Runs a program after each NMI handler. Returns false if the kernel lacks the tracepoint.
    pub fn attach_nmis(&mut self) -> Result<bool> {
        let program = &self.skel.progs.add_in_nmi;
        match program.attach_raw_tracepoint(NMI_HANDLER) {
            Ok(link) => self.nmis = Some(link),
            Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => (),
            Err(error) => return Err(libbpf::explain(error)),
        }
        Ok(self.nmis.is_some())
    }

    /// Ends the interruptions. When it returns, all adds have been made.
    pub fn detach(&mut self) {
        self.samples.clear();
        self.nmis = None;
        // Another CPU may still be in an NMI. The call waits for RCU, and then no CPU is where it
        // was before. It fails if CPUs run without ticks.
        const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
        // SAFETY: The call has no pointers and no preconditions.
        if unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) } != 0 {
            thread::sleep(LONGER_THAN_AN_NMI);
        }
    }

    /// How often samples and NMI handlers ran their programs.
    pub fn interruptions(&self) -> [Runs; 2] {
        let bss = self.skel.maps.bss_data.as_ref();
        bss.map_or([Runs::default(); 2], |bss| {
            [&bss.samples, &bss.nmis].map(Runs::from)
        })
    }

    /// The counters of each CPU in the store, in the order of `struct counts`.
    pub fn store(&self) -> Result<Vec<Vec<u64>>> {
        let copies = self.store.read_all(0, self.store.size());
        let copies = copies.context("the store cannot be read")?.into_iter();
        Ok(copies.map(|(_, bytes)| Word::U64.split(&bytes).0).collect())
    }

    /// The counters of each CPU in the PERCPU_ARRAY, in the order of `struct control`.
    pub fn array(&self) -> Result<Vec<Vec<u64>>> {
        let map = &self.skel.maps.control;
        let copies = map
            .lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY)
            .context("the PERCPU_ARRAY cannot be read")?
            .context("the PERCPU_ARRAY is empty")?;
        Ok(copies
            .iter()
            .map(|bytes| Word::U64.split(bytes).0)
            .collect())
    }
}
