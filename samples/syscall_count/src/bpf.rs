// SPDX-License-Identifier: GPL-2.0

//! The BPF program's side: its store, loading it, and running it.

use crate::functions;
use anyhow::{bail, Context, Error, Result};
use libbpf_rs::{
    set_print,
    skel::{OpenSkel, SkelBuilder},
    ErrorKind, Link, OpenObject, PrintLevel,
};
use percpuctl::store::{self, Store};
use skel::{SyscallCountSkel, SyscallCountSkelBuilder};
use std::{
    mem::MaybeUninit,
    sync::{Mutex, PoisonError},
};

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
        set_print(Some((PrintLevel::Warn, keep_warning)));
        let mut open = SyscallCountSkelBuilder::default()
            .open(object)
            .map_err(explain)?;
        let store = store::bind(open.open_object_mut())?
            .remove(STORE)
            .context("the BPF program asks for no store")?;
        // With another that counts in it each call would count twice.
        if store.info()?.refs != 1 {
            bail!(
                "store '{STORE}' is in use: end the other syscall_count, or remove what it left: \
                 percpuctl rm {STORE}"
            );
        }
        let skel = open.load().map_err(explain)?;
        let functions = functions::of_syscalls()?;
        let link = skel.progs.count.attach_kprobe_multi(false, functions);
        Ok(Self {
            link: Some(link.map_err(explain)?),
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

/// libbpf's errors are bare numbers; what they are about is in its warnings.
static WARNINGS: Mutex<String> = Mutex::new(String::new());

fn keep_warning(_: PrintLevel, message: String) {
    WARNINGS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push_str(&message);
}

/// Says what to do about an error of libbpf's.
fn explain(error: libbpf_rs::Error) -> Error {
    let what = match error.kind() {
        ErrorKind::PermissionDenied => {
            "the kernel does not let this user load BPF programs: run it as root".to_string()
        }
        _ => format!(
            "the BPF program cannot be run. libbpf says:\n{}",
            WARNINGS.lock().unwrap_or_else(PoisonError::into_inner)
        ),
    };
    Error::new(error).context(what)
}
