// SPDX-License-Identifier: GPL-2.0

//! The BPF program's side: its store, loading it, and running it.

use anyhow::{Context, Result};
use bpf_percpu::{
    libbpf,
    store::{self, Store},
};
use libbpf_rs::{
    skel::{OpenSkel, SkelBuilder},
    Link, OpenObject,
};
use percpu_live::{program, syscalls};
use skel::{SyscallCountSkel, SyscallCountSkelBuilder};
use std::mem::MaybeUninit;

// The generator does not say why its code is safe.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/syscall_count.skel.rs"));
}

/// The name in `BPF_PERCPU_STORE()`.
const STORE: &str = "syscall_count";

/// The program, which counts until this is dropped.
pub struct Counting<'obj> {
    link: Option<Link>,
    skel: SyscallCountSkel<'obj>,
    store: Store,
}

impl<'obj> Counting<'obj> {
    /// Makes the store, and starts to count in it.
    pub fn start(object: &'obj mut MaybeUninit<OpenObject>) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = SyscallCountSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let store = store::bind(open.open_object_mut())?
            .remove(STORE)
            .context("the BPF program asks for no store")?;
        // With another that counts in it each call would count twice.
        program::only_user("syscall_count", &store.info()?)?;
        let skel = open.load().map_err(libbpf::explain)?;
        let functions = syscalls::functions()?;
        let link = skel.progs.count.attach_kprobe_multi(false, functions);
        Ok(Self {
            link: Some(link.map_err(libbpf::explain)?),
            skel,
            store,
        })
    }

    /// Where the program counts.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ends counting. What was counted stays in the store.
    pub fn stop(&mut self) {
        self.link = None;
    }

    /// How many calls the program could not count.
    pub fn lost(&self) -> u64 {
        self.skel.maps.bss_data.as_ref().map_or(0, |bss| bss.lost)
    }
}
