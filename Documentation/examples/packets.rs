// SPDX-License-Identifier: GPL-2.0

//! A loader of `packets.bpf.c` that uses its skeleton.

use std::mem::MaybeUninit;

use anyhow::Result;
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::skel::SkelBuilder;
use skel::PacketsSkelBuilder;

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks, missing_docs)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/packets.skel.rs"));
}

/// Counts the packets that a device receives until `wait` returns. Returns their number.
///
/// # Errors
///
/// Returns the errors of the store, the program and the device.
pub fn run(ifindex: i32, wait: impl FnOnce()) -> Result<u64> {
    let mut object = MaybeUninit::uninit();
    // [bind]
    let mut open = PacketsSkelBuilder::default().open(&mut object)?;
    let stores = bpf_percpu::store::bind(open.open_object_mut())?;
    let skel = open.load()?;
    // [bind end]
    let _link = skel.progs.count.attach_xdp(ifindex)?;
    wait();
    // [read]
    println!("{} packets", stores["packet_counts"].sum_u64(0)?);
    // [read end]
    Ok(stores["packet_counts"].sum_u64(0)?)
}
