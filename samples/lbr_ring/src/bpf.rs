// SPDX-License-Identifier: GPL-2.0

//! The BPF programs: their store, loading and attaching.

use crate::{
    functions::Functions,
    links,
    ring::{self, Ring},
};
use anyhow::{bail, ensure, Context, Result};
use bpf_percpu::{
    cpus, libbpf,
    store::{self, Store},
};
use libbpf_rs::{
    btf::types::Func,
    query::ProgInfoIter,
    skel::{OpenSkel, SkelBuilder},
    Btf, Link, OpenObject, Program, ProgramInput, RawTracepointOpts, RingBuffer, RingBufferBuilder,
};
use percpu_live::program;
use skel::{LbrRingSkel, LbrRingSkelBuilder};
use std::{
    cell::RefCell,
    collections::VecDeque,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
};

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/lbr_ring.skel.rs"));
}

/// The name in `BPF_PERCPU_STORE()`.
const STORE: &str = "lbr_ring";

/// What makes a CPU send its ring.
pub enum Trigger {
    /// A call of this function. The function decides which program type can trace it.
    Function(String),
    /// A tracepoint.
    Tracepoint(String),
}

/// What to record, and when to send rings.
pub struct Setup {
    /// The functions.
    pub functions: Functions,
    /// Tracepoints to record, too.
    pub tracepoints: Vec<String>,
    /// Record only this process.
    pub pid: Option<u32>,
    /// What makes a CPU send its ring, besides the user.
    pub trigger: Option<Trigger>,
}

/// Rings that have arrived and have not been taken yet.
#[derive(Clone, Default)]
pub struct Arrived(Rc<RefCell<VecDeque<Result<Ring>>>>);

impl Arrived {
    /// Takes the oldest ring.
    pub fn take(&self) -> Option<Result<Ring>> {
        self.0.borrow_mut().pop_front()
    }
}

/// The attached programs. They record until this is dropped.
pub struct Recorder<'obj> {
    // The order of the fields matters: the trigger must end before the programs that fill the
    // rings.
    _trigger: Option<Triggering>,
    _tracepoints: Vec<Link>,
    _functions: OwnedFd,
    skel: LbrRingSkel<'obj>,
    // Keeps the store as long as the programs run.
    _store: Store,
}

/// A trigger, which works until this is dropped.
enum Triggering {
    Linked { _link: Link },
    Attached { _link: OwnedFd },
}

impl<'obj> Recorder<'obj> {
    /// Creates the store, and starts to record.
    pub fn start(object: &'obj mut MaybeUninit<OpenObject>, setup: &Setup) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = LbrRingSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let store = store::bind(open.open_object_mut())?
            .remove(STORE)
            .context("the BPF program asks for no store")?;
        // Two users would mix their records.
        program::only_user("lbr_ring", &store.info()?)?;
        ensure!(
            store.size() as usize == ring::SIZE,
            "a ring has {} bytes, not {}",
            store.size(),
            ring::SIZE
        );
        for cpu in cpus::possible()? {
            store.write(cpu, ring::CPU, &cpu.to_ne_bytes())?;
        }

        let rodata = open.maps.rodata_data.as_mut();
        rodata.context("the BPF program has no settings")?.only_pid = setup.pid.unwrap_or(0);
        let progs = &mut open.progs;
        progs.event.set_autoload(!setup.tracepoints.is_empty());
        let (mut fentry, mut kprobe, mut tracepoint) = (false, false, false);
        match &setup.trigger {
            Some(Trigger::Function(name)) => {
                fentry = is_in_btf(name);
                kprobe = !fentry;
                if fentry {
                    let set = progs.on_function.set_attach_target(0, Some(name.clone()));
                    set.map_err(libbpf::explain)?;
                }
            }
            Some(Trigger::Tracepoint(_)) => tracepoint = true,
            None => {}
        }
        progs.on_function.set_autoload(fentry);
        progs.on_kprobe.set_autoload(kprobe);
        progs.on_tracepoint.set_autoload(tracepoint);
        let skel = open.load().map_err(libbpf::explain)?;

        let addresses: Vec<u64> = setup.functions.keys().copied().collect();
        let functions = links::kprobe_session(skel.progs.function.as_fd(), &addresses)
            .context("the kernel does not let these functions be traced")?;
        let tracepoints = setup.tracepoints.iter().zip(0..);
        let tracepoints = tracepoints
            .map(|(name, cookie)| attach_tracepoint(&skel.progs.event, name, cookie))
            .collect::<Result<_>>()?;
        let trigger = match &setup.trigger {
            None => None,
            Some(Trigger::Tracepoint(name)) => Some(Triggering::Linked {
                _link: attach_tracepoint(&skel.progs.on_tracepoint, name, 0)?,
            }),
            Some(Trigger::Function(_)) if fentry => Some(Triggering::Linked {
                _link: skel.progs.on_function.attach().map_err(libbpf::explain)?,
            }),
            Some(Trigger::Function(name)) => {
                let found = crate::functions::matching(&[name.clone()])?;
                let addresses: Vec<u64> = found.keys().copied().collect();
                let link = links::kprobe_multi(skel.progs.on_kprobe.as_fd(), &addresses);
                Some(Triggering::Attached {
                    _link: link.with_context(|| format!("{name} cannot be traced"))?,
                })
            }
        };
        Ok(Self {
            _trigger: trigger,
            _tracepoints: tracepoints,
            _functions: functions,
            skel,
            _store: store,
        })
    }

    /// Creates the buffer in which rings arrive. The caller polls it.
    pub fn buffer(&self, arrived: &Arrived) -> Result<RingBuffer<'static>> {
        let arrived = arrived.clone();
        let mut builder = RingBufferBuilder::new();
        builder
            .add(&self.skel.maps.dumps, move |bytes| {
                arrived.0.borrow_mut().push_back(Ring::parse(bytes));
                0
            })
            .map_err(libbpf::explain)?;
        builder.build().map_err(libbpf::explain)
    }

    /// Requests the ring of a CPU. Returns false if there is no room for it.
    pub fn read(&self, cpu: u32) -> Result<bool> {
        let mut wanted = cpu.to_ne_bytes();
        let input = ProgramInput {
            context_in: Some(&mut wanted),
            ..Default::default()
        };
        let output = self.skel.progs.read_ring.test_run(input);
        match -(output.map_err(libbpf::explain)?.return_value as i32) {
            0 => Ok(true),
            libc::ENOSPC => Ok(false),
            errno => bail!(
                "the ring of CPU {cpu} cannot be read: {}: was the store removed?",
                std::io::Error::from_raw_os_error(errno)
            ),
        }
    }

    /// The number of rings that did not fit into the buffer.
    pub fn lost(&self) -> u64 {
        self.skel.maps.bss_data.as_ref().map_or(0, |bss| bss.lost)
    }

    /// How often the kernel skipped a program because it interrupted another one.
    pub fn missed(&self) -> Result<u64> {
        let progs = &self.skel.progs;
        let mut ids = vec![Program::id_from_fd(progs.function.as_fd())?];
        if progs.event.autoload() {
            ids.push(Program::id_from_fd(progs.event.as_fd())?);
        }
        let infos = ProgInfoIter::default().filter(|info| ids.contains(&info.id));
        Ok(infos.map(|info| info.recursion_misses).sum())
    }
}

fn attach_tracepoint(program: &libbpf_rs::ProgramMut<'_>, name: &str, cookie: u64) -> Result<Link> {
    let opts = RawTracepointOpts {
        cookie,
        ..Default::default()
    };
    let link = program.attach_raw_tracepoint_with_opts(name, opts);
    link.with_context(|| {
        format!("there is no tracepoint '{name}': /sys/kernel/tracing/events has them by group")
    })
}

/// Whether the kernel's BTF has a function, which fentry programs need.
fn is_in_btf(name: &str) -> bool {
    Btf::from_vmlinux().is_ok_and(|btf| btf.type_by_name::<Func<'_>>(name).is_some())
}
