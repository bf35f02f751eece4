// SPDX-License-Identifier: GPL-2.0

//! The BPF programs: their store, loading and attaching.

use crate::{classes::Classes, device::Device, policy::Policy, Via};
use anyhow::{Context, Result};
use bpf_percpu::{
    cpus, libbpf,
    store::{self, Store},
};
use libbpf_rs::{
    libbpf_sys::{bpf_link_create, bpf_link_create_opts, bpf_link_detach, BPF_TCX_INGRESS},
    skel::{OpenSkel, SkelBuilder},
    MapCore, MapFlags, MapHandle, OpenObject,
};
use percpu_live::program;
use skel::{SharedTailSkel, SharedTailSkelBuilder};
use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/shared_tail.skel.rs"));
}

/// The name in `BPF_PERCPU_STORE()`.
const STORE: &str = "shared_tail";

/// The attached programs of a device, until this is dropped.
pub struct Pipeline<'obj> {
    link: Option<OwnedFd>,
    policy: Option<Policy>,
    via: Via,
    instead: MapHandle,
    skel: SharedTailSkel<'obj>,
    store: Store,
}

impl<'obj> Pipeline<'obj> {
    /// Loads the programs. They do not get packets yet.
    pub fn load(
        object: &'obj mut MaybeUninit<OpenObject>,
        device: &Device,
        via: Via,
    ) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = SharedTailSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let store = store::bind(open.open_object_mut())?
            .remove(STORE)
            .context("the BPF programs ask for no store")?;
        // Two users would count everything twice.
        program::only_user("shared_tail", &store.info()?)?;
        let rodata = open.maps.rodata_data.as_mut();
        let rodata = rodata.context("the BPF programs have no settings")?;
        rodata.l2_len = device.l2_len;
        rodata.via_map = via == Via::Map;
        let skel = open.load().map_err(libbpf::explain)?;
        Ok(Self {
            link: None,
            policy: None,
            via,
            instead: MapHandle::try_from(&skel.maps.instead).map_err(libbpf::explain)?,
            skel,
            store,
        })
    }

    /// Attaches the programs, so that they get the packets of the device.
    pub fn attach(&mut self, device: &Device) -> Result<()> {
        let link = tcx(self.skel.progs.parse.as_fd(), device.index);
        self.link = Some(link.with_context(|| format!("device '{}'", device.name))?);
        Ok(())
    }

    /// Detaches the programs. When it returns, no packet is between two programs.
    pub fn detach(&mut self) {
        if let Some(link) = self.link.take() {
            // SAFETY: The call takes no pointers. If the device is gone, it fails, and nothing is
            // attached.
            unsafe { bpf_link_detach(link.as_raw_fd()) };
        }
    }

    /// Replaces the classes while packets pass. Packets between two policies have no class. After
    /// an error, the old classes are in force, or none: see [`Self::has_policy`].
    pub fn set_policy(&mut self, classes: &Classes) -> Result<()> {
        let new = match classes.rules.is_empty() {
            true => None,
            false => {
                let target = self.skel.progs.parse.as_fd();
                Some(Policy::load(classes, self.via, target, &self.instead)?)
            }
        };
        // Only one program at a time can replace a function.
        self.policy = None;
        self.policy = new.map(Policy::attach).transpose()?;
        Ok(())
    }

    /// Whether there are classes in force.
    pub fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// The `struct shared` of each possible CPU.
    pub fn read(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        if self.via == Via::Store {
            let copies = self.store.read_all(0, self.store.size());
            return copies.context("the counts cannot be read");
        }
        let copies = self.instead.lookup_percpu(&[0; 4], MapFlags::ANY);
        let copies = copies.map_err(libbpf::explain)?;
        let copies = copies.context("the map has no value")?;
        Ok(cpus::possible()?.into_iter().zip(copies).collect())
    }
}

/// Creates a link, which is removed when its file is closed.
fn tcx(program: BorrowedFd<'_>, device: i32) -> io::Result<OwnedFd> {
    let opts = bpf_link_create_opts {
        sz: size_of::<bpf_link_create_opts>() as _,
        ..Default::default()
    };
    // SAFETY: The options are valid for the call.
    let fd = unsafe { bpf_link_create(program.as_raw_fd(), device, BPF_TCX_INGRESS, &opts) };
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: The file descriptor is new and open, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
