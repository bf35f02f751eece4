// SPDX-License-Identifier: GPL-2.0

//! The policy: a separate program that replaces a function of the one that parses packets.

use crate::{classes::Classes, classes::RULES, Via};
use anyhow::{Context, Result};
use bpf_percpu::{libbpf, store};
use libbpf_rs::{Link, MapHandle, Object, ObjectBuilder};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// An object must be aligned like its words.
#[repr(align(8))]
struct Aligned<T: ?Sized>(T);

static OBJECT: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/policy.bpf.o")));

/// The function that it replaces.
const FUNCTION: &str = "policy";

/// A policy. Once attached, it is in force until this is dropped.
pub struct Policy {
    // The first field, because the link must end first.
    link: Option<Link>,
    object: Object,
}

impl Policy {
    /// Loads the program for these classes, to replace the function of `target`.
    pub fn load(
        classes: &Classes,
        via: Via,
        target: BorrowedFd<'_>,
        instead: &MapHandle,
    ) -> Result<Self> {
        let mut open = ObjectBuilder::default()
            .open_memory(&OBJECT.0)
            .map_err(libbpf::explain)?;
        // Opens the existing store. Its creator keeps it.
        store::bind(&mut open)?;
        for mut map in open.maps_mut() {
            if map.name() == "instead" {
                map.reuse_fd(instead.as_fd()).map_err(libbpf::explain)?;
            } else if map.name().to_string_lossy().ends_with(".rodata") {
                let settings = map.initial_value_mut();
                fill(
                    settings.context("the policy has no settings")?,
                    classes,
                    via,
                )?;
            }
        }
        for mut program in open.progs_mut() {
            let set = program.set_attach_target(target.as_raw_fd(), Some(FUNCTION.to_string()));
            set.map_err(libbpf::explain)?;
        }
        let object = open.load().map_err(libbpf::explain)?;
        Ok(Self { link: None, object })
    }

    /// Puts the policy into force.
    pub fn attach(mut self) -> Result<Self> {
        let program = self.object.progs_mut().next();
        let link = program.context("the policy has no program")?.attach();
        self.link = Some(link.map_err(libbpf::explain)?);
        Ok(self)
    }
}

/// Writes `settings` of `policy.bpf.c`.
fn fill(settings: &mut [u8], classes: &Classes, via: Via) -> Result<()> {
    let mut bytes = Vec::new();
    bytes.extend(u32::from(via == Via::Map).to_ne_bytes());
    bytes.extend((classes.rules.len() as u32).to_ne_bytes());
    for rule in classes.rules.iter().take(RULES) {
        bytes.extend(rule.first.to_ne_bytes());
        bytes.extend(rule.last.to_ne_bytes());
        bytes.extend([rule.protocol, rule.class]);
    }
    let place = settings.get_mut(..bytes.len());
    place
        .context("the settings of the policy are too small")?
        .copy_from_slice(&bytes);
    Ok(())
}
