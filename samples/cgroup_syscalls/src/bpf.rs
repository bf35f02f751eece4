// SPDX-License-Identifier: GPL-2.0

//! The BPF program: its store, loading and attaching.

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
use skel::{CgroupSyscallsSkel, CgroupSyscallsSkelBuilder};
use std::mem::MaybeUninit;

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/cgroup_syscalls.skel.rs"));
}

/// The name in `BPF_PERCPU_KEYED_STORE()`.
const STORE: &str = "cgroup_syscalls";

/// The attached program. It counts until this is dropped.
pub struct Counting<'obj> {
    link: Option<Link>,
    skel: CgroupSyscallsSkel<'obj>,
    store: Store,
}

impl<'obj> Counting<'obj> {
    /// Creates the store for this many cgroups, and starts to count.
    pub fn start(object: &'obj mut MaybeUninit<OpenObject>, cgroups: u32) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = CgroupSyscallsSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let decls = open.maps.rodata_bpf_percpu_keyed_data.as_mut();
        let decls = decls.context("the BPF program asks for no store")?;
        decls.calls.entries = cgroups;
        let store = store::bind(open.open_object_mut())?
            .remove(STORE)
            .context("the BPF program asks for no store")?;
        // With a second user, each call would be counted twice.
        program::only_user("cgroup_syscalls", &store.info()?)?;
        let skel = open.load().map_err(libbpf::explain)?;
        let functions = syscalls::functions()?;
        let link = skel.progs.count.attach_kprobe_multi(false, functions);
        Ok(Self {
            link: Some(link.map_err(libbpf::explain)?),
            skel,
            store,
        })
    }

    /// The store that the program counts in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops counting. The counts stay in the store.
    pub fn stop(&mut self) {
        self.link = None;
    }

    /// The number of calls that the program could not count.
    pub fn lost(&self) -> u64 {
        self.skel.maps.bss_data.as_ref().map_or(0, |bss| bss.lost)
    }
}
