// SPDX-License-Identifier: GPL-2.0

//! Loaders of `count.bpf.c`: with libbpf-rs's objects, and with the skeleton of the output of
//! `percpuctl lower`.

use std::fs;
use std::mem::MaybeUninit;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::variables;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Options;
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::skel::Skel;
use libbpf_rs::skel::SkelBuilder;
use libbpf_rs::Object;
use skel::CountSkelBuilder;

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks, missing_docs)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/count.skel.rs"));
}

/// Loads `count.bpf.o` from the current directory, with 100 as the initial value of each CPU. Returns
/// the value of `cpu` after `run`.
///
/// # Errors
///
/// Returns the errors of the file, the program and its variables.
pub fn from_100(cpu: u32, run: impl FnOnce(&Object)) -> Result<u64> {
    // [open]
    let mut open = Options::new().open("count", &fs::read("count.bpf.o")?)?;
    if let Some(image) = open.image_mut(".percpu") {
        image[..8].copy_from_slice(&100u64.to_ne_bytes());
    }
    let loaded = open.load()?;
    // [open end]
    run(loaded.object());
    // [read]
    let packets = loaded.section(".percpu").map(|section| section.read(cpu));
    // [read end]
    number(&packets.context("the object has no such section")??)
}

/// Does the same with a skeleton, starting from 0.
///
/// # Errors
///
/// Returns the errors of the program and its variables.
pub fn by_skeleton(cpu: u32, run: impl FnOnce(&Object)) -> Result<u64> {
    let mut object = MaybeUninit::uninit();
    // [skeleton]
    let mut open = CountSkelBuilder::default().open(&mut object)?;
    let prepared = variables::prepare(open.open_object_mut(), &Options::new())?;
    let skel = open.load()?;
    let variables = prepared.hold(skel.object())?;
    // [skeleton end]
    run(skel.object());
    let section = variables.section(".percpu");
    number(
        &section
            .context("the object has no such section")?
            .read(cpu)?,
    )
}

/// Loads two objects that count in one store. Returns the value of `cpu` after `run` of each.
///
/// # Errors
///
/// Returns the errors of the program and its variables.
pub fn shared(cpu: u32, object: &[u8], run: impl Fn(&Object)) -> Result<u64> {
    let options = Options::new().form(Form::Lowered).share(".percpu", "both");
    let one = options.open("one", object)?.load()?;
    let other = options.open("other", object)?.load()?;
    run(one.object());
    run(other.object());
    let section = other.section(".percpu");
    number(
        &section
            .context("the object has no such section")?
            .read(cpu)?,
    )
}

fn number(bytes: &[u8]) -> Result<u64> {
    let bytes = bytes.first_chunk().context("a section of 8 bytes")?;
    Ok(u64::from_ne_bytes(*bytes))
}
